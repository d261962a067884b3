/* A disk that fails as told, for one process and its children: preloaded, it stands before the calls of libc.
 *
 * $GATEPOST_DISK_FAULTS names a file with one fault a line, read anew at every call, so that a fault comes and goes
 * while the process runs:
 *
 *     sync 5 /0.sqlite-wal        fsync and fdatasync of files whose path holds the text fail with that errno
 *     write 28 /queue/0.          write, pwrite
 *     read 5 /0.spool/            read, pread
 *     create 30 /0.spool/         open for writing
 *
 * A failed write writes nothing. A failed sync has synced nothing either, for all that the caller can know. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fault_of(const char *call, const char *path) {
    const char *control = getenv("GATEPOST_DISK_FAULTS");
    char text[2048];
    if (!control) return 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    long length = syscall(SYS_read, fd, text, sizeof text - 1);
    syscall(SYS_close, fd);
    if (length <= 0) return 0;
    text[length] = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char which[16], pattern[256];
        int number;
        if (sscanf(line, "%15s %d %255s", which, &number, pattern) == 3 && !strcmp(which, call) &&
            strstr(path, pattern))
            return number;
    }
    return 0;
}

static int fails(const char *call, int fd) {
    char link[64], path[1024];
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = readlink(link, path, sizeof path - 1);
    int number = 0;
    if (length > 0 && path[0] == '/') {
        path[length] = 0;
        number = fault_of(call, path);
    }
    errno = number ? number : saved;
    return number;
}

#define STANDS_BEFORE(type, name, parameters, arguments, call)                \
    type name parameters {                                                    \
        static type(*real) parameters;                                        \
        if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, #name);        \
        return fails(call, fd) ? (type)-1 : real arguments;                   \
    }

STANDS_BEFORE(int, fsync, (int fd), (fd), "sync")
STANDS_BEFORE(int, fdatasync, (int fd), (fd), "sync")
STANDS_BEFORE(ssize_t, write, (int fd, const void *octets, size_t size), (fd, octets, size), "write")
STANDS_BEFORE(ssize_t, pwrite, (int fd, const void *octets, size_t size, off_t at), (fd, octets, size, at), "write")
STANDS_BEFORE(ssize_t, pwrite64, (int fd, const void *octets, size_t size, off64_t at), (fd, octets, size, at), "write")
STANDS_BEFORE(ssize_t, read, (int fd, void *octets, size_t size), (fd, octets, size), "read")
STANDS_BEFORE(ssize_t, pread, (int fd, void *octets, size_t size, off_t at), (fd, octets, size, at), "read")
STANDS_BEFORE(ssize_t, pread64, (int fd, void *octets, size_t size, off64_t at), (fd, octets, size, at), "read")

#define STANDS_BEFORE_OPENING(name)                                           \
    int name(const char *path, int flags, ...) {                              \
        static int (*real)(const char *, int, ...);                           \
        if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
        va_list more;                                                         \
        va_start(more, flags);                                                \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;             \
        va_end(more);                                                         \
        int number = flags & (O_WRONLY | O_RDWR) ? fault_of("create", path) : 0; \
        if (number) {                                                         \
            errno = number;                                                   \
            return -1;                                                        \
        }                                                                     \
        return real(path, flags, mode);                                       \
    }

STANDS_BEFORE_OPENING(open)
STANDS_BEFORE_OPENING(open64)

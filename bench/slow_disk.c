/* slow_disk: a disk that takes its time, for one program and its children.
 *
 *     LD_PRELOAD=slow_disk.so SLOW_DISK_MS=200 program
 *
 * Every fsync and fdatasync takes so many milliseconds longer. What is written before is not slowed: the kernel's cache
 * would take that from a real disk too.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void wait_for_the_disk(void)
{
    const char *set = getenv("SLOW_DISK_MS");
    long ms = set ? atol(set) : 0;
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

int fsync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    wait_for_the_disk();
    return real(fd);
}

int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    wait_for_the_disk();
    return real(fd);
}

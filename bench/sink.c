/* sink: an SMTP server that accepts everything, keeps nothing and costs little.
 *
 *     sink [--port N] [--chunking] [--no-pipelining] [--counters FILE]
 *
 * One thread, epoll. It counts what arrived in a file of four 64-bit numbers that others may map and read at any time:
 * messages, recipients of those messages, octets of content, time of the last message (CLOCK_MONOTONIC, ns). SIGTERM
 * ends it; it then prints the same as one line of JSON. It prints `port N` when it listens.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST_COMMAND = 2048, READ_SIZE = 256 * 1024, EVENTS = 256 };

struct counters {
    volatile uint64_t messages, recipients, octets, last_ns;
};

enum reading { COMMAND, CONTENT, CHUNK };

struct session {
    int fd;
    enum reading reading;
    unsigned recipients;
    uint64_t octets;       /* of this message */
    uint64_t chunk_left;   /* of this BDAT */
    bool chunk_is_last;
    bool closing;
    char tail[4];          /* the last four octets of content: the end may be cut by a read */
    size_t command_used;
    char command[LONGEST_COMMAND];
    size_t reply_used;
    char reply[4096];
};

static struct counters *counters;
static volatile sig_atomic_t ended;
static bool offers_chunking, offers_pipelining = true;
static uint64_t connections;

static void end(int signal_number)
{
    (void)signal_number;
    ended = 1;
}

static void die(const char *what)
{
    fprintf(stderr, "sink: %s: %s\n", what, strerror(errno));
    exit(2);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void send_replies(struct session *session)
{
    /* Replies are few and short: a peer that lets its window fill with them is dropped with the next read. */
    if (session->reply_used && send(session->fd, session->reply, session->reply_used, MSG_NOSIGNAL) < 0)
        session->closing = true;
    session->reply_used = 0;
}

static void reply(struct session *session, const char *text)
{
    size_t length = strlen(text);
    if (session->reply_used + length > sizeof session->reply)
        send_replies(session);
    memcpy(session->reply + session->reply_used, text, length);
    session->reply_used += length;
}

static void message_arrived(struct session *session)
{
    counters->recipients += session->recipients;
    counters->octets += session->octets;
    counters->last_ns = now_ns();
    counters->messages++;
    session->recipients = 0;
    session->octets = 0;
    reply(session, "250 2.0.0 counted\r\n");
}

static void obey_bdat(struct session *session, const char *line)
{
    char *rest;
    session->chunk_left = strtoull(line + 4, &rest, 10);
    session->chunk_is_last = strcasestr(rest, "LAST") != NULL;
    session->octets += session->chunk_left;
    session->reading = CHUNK;
}

static void obey(struct session *session, const char *line)
{
    if (!strncasecmp(line, "EHLO", 4)) {
        reply(session, "250-sink\r\n");
        if (offers_pipelining)
            reply(session, "250-PIPELINING\r\n");
        if (offers_chunking)
            reply(session, "250-CHUNKING\r\n");
        reply(session, "250-SIZE 0\r\n250-SMTPUTF8\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n");
    } else if (!strncasecmp(line, "RCPT", 4)) {
        session->recipients++;
        reply(session, "250 2.1.5 yes\r\n");
    } else if (!strncasecmp(line, "DATA", 4)) {
        session->reading = CONTENT;
        session->octets = 0;
        memcpy(session->tail, "\0\0\r\n", 4); /* a dot may end the content at once */
        reply(session, "354 go ahead\r\n");
    } else if (!strncasecmp(line, "BDAT", 4)) {
        obey_bdat(session, line);
    } else if (!strncasecmp(line, "QUIT", 4)) {
        reply(session, "221 2.0.0 bye\r\n");
        session->closing = true;
    } else if (!strncasecmp(line, "MAIL", 4) || !strncasecmp(line, "RSET", 4)) {
        session->recipients = 0;
        session->octets = 0;
        reply(session, "250 2.1.0 yes\r\n");
    } else if (!strncasecmp(line, "HELO", 4) || !strncasecmp(line, "NOOP", 4)) {
        reply(session, "250 sink\r\n");
    } else {
        reply(session, "502 5.5.1 not here\r\n");
    }
}

/* Each of these takes octets from `data` and says how many. */

static size_t take_command(struct session *session, const char *data, size_t length)
{
    const char *newline = memchr(data, '\n', length);
    size_t taken = newline ? (size_t)(newline - data) + 1 : length;
    if (session->command_used + taken >= sizeof session->command) {
        session->closing = true;
        return taken;
    }
    memcpy(session->command + session->command_used, data, taken);
    session->command_used += taken;
    if (newline) {
        session->command[session->command_used] = 0;
        session->command_used = 0;
        obey(session, session->command);
    }
    return taken;
}

static size_t end_of_content(const struct session *session, const char *data, size_t length)
{
    /* First the joint of the last read and this one, then this one by itself. */
    char joint[8];
    size_t head = length < 4 ? length : 4;
    memcpy(joint, session->tail, 4);
    memcpy(joint + 4, data, head);
    const char *found = memmem(joint, 4 + head, "\r\n.\r\n", 5);
    if (found)
        return (size_t)(found - joint) + 5 - 4;
    found = memmem(data, length, "\r\n.\r\n", 5);
    return found ? (size_t)(found - data) + 5 : 0;
}

static size_t take_content(struct session *session, const char *data, size_t length)
{
    size_t end_at = end_of_content(session, data, length);
    size_t taken = end_at ? end_at : length;
    session->octets += taken;
    if (end_at) {
        session->octets -= 3; /* the final dot and its CRLF are no content */
        session->reading = COMMAND;
        message_arrived(session);
    } else if (taken >= 4) {
        memcpy(session->tail, data + taken - 4, 4);
    } else {
        memmove(session->tail, session->tail + taken, 4 - taken);
        memcpy(session->tail + 4 - taken, data, taken);
    }
    return taken;
}

static size_t take_chunk(struct session *session, size_t length)
{
    size_t taken = length < session->chunk_left ? length : (size_t)session->chunk_left;
    session->chunk_left -= taken;
    return taken;
}

static void end_chunk(struct session *session)
{
    session->reading = COMMAND;
    if (session->chunk_is_last)
        message_arrived(session);
    else
        reply(session, "250 2.0.0 more\r\n");
}

static void take(struct session *session, const char *data, size_t length)
{
    while (length && !session->closing) {
        size_t taken = session->reading == COMMAND   ? take_command(session, data, length)
                       : session->reading == CONTENT ? take_content(session, data, length)
                                                     : take_chunk(session, length);
        data += taken;
        length -= taken;
        if (session->reading == CHUNK && !session->chunk_left)
            end_chunk(session);
    }
}

static void serve(struct session *session)
{
    static char data[READ_SIZE];
    ssize_t length = recv(session->fd, data, sizeof data, 0);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0)
        session->closing = true;
    else
        take(session, data, (size_t)length);
    send_replies(session);
    if (session->closing) {
        close(session->fd);
        free(session);
    }
}

static void welcome(int listener, int poll)
{
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct session *session = calloc(1, sizeof *session);
        if (!session)
            die("memory");
        session->fd = fd;
        connections++;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event))
            die("epoll_ctl");
        reply(session, "220 sink ESMTP\r\n");
        send_replies(session);
    }
}

static int listen_at(unsigned port)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 1024))
        die("listening");
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("port %u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void map_counters(const char *path)
{
    int flags = MAP_SHARED, fd = -1;
    if (path) {
        fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0 || ftruncate(fd, sizeof *counters))
            die(path);
    } else {
        flags |= MAP_ANONYMOUS;
    }
    counters = mmap(NULL, sizeof *counters, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (counters == MAP_FAILED)
        die("mmap");
}

static void report(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    printf("{\"messages\": %" PRIu64 ", \"recipients\": %" PRIu64 ", \"octets\": %" PRIu64 ", "
           "\"connections\": %" PRIu64 ", \"last_ns\": %" PRIu64 ", \"cpu_s\": %.3f}\n",
           counters->messages, counters->recipients, counters->octets, connections, counters->last_ns, cpu);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                            {"counters", required_argument, NULL, 'f'},
                                            {"chunking", no_argument, NULL, 'c'},
                                            {"no-pipelining", no_argument, NULL, 'n'},
                                            {NULL, 0, NULL, 0}};
    const char *counters_path = NULL;
    unsigned port = 0;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'p': port = (unsigned)atoi(optarg); break;
        case 'f': counters_path = optarg; break;
        case 'c': offers_chunking = true; break;
        case 'n': offers_pipelining = false; break;
        default: return 2;
        }
    }
    map_counters(counters_path);
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    int poll = epoll_create1(EPOLL_CLOEXEC), listener = listen_at(port);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    while (!ended) {
        int ready = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr)
                serve(events[i].data.ptr);
            else
                welcome(listener, poll);
        }
    }
    report();
    return 0;
}

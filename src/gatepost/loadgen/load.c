/* load: sends mail to an SMTP server as fast as it answers, or at a given rate, and says how it went.
 *
 *     load [--host ADDRESS] --port N [--messages N] [--size OCTETS] [--connections N] [--per-connection N]
 *          [--recipients N] [--from ADDRESS] [--to ADDRESS] [--pipelining] [--rate PER_SECOND]
 *          [--starttls] [--certificate PEM --key PEM] [--tls 1.2|1.3]
 *
 * One thread, epoll. `--connections` are kept busy until `--messages` are sent. `--per-connection 1` makes a new
 * connection (and a full TLS handshake, no session is resumed) for each message; 0, the default, keeps connections.
 * Prints one line of JSON; latencies are from the last octet of the content written to the final reply. Exit status 1
 * when a message was refused or a connection was lost. `gatepost bench load` is this program with a friendlier face.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 8192, COMMANDS_SIZE = 512, EVENTS = 256 };
/* More than a server's listen backlog holds would be connected for us and unknown to the server. */
enum { MOST_AWAITED_GREETINGS = 256 };

/* What the session waits for. */
enum stage { CONNECTED, GREETING, EHLO, STARTTLS, HANDSHAKE, MAIL, RCPT, DATA, FINAL, RATE, QUIT, CLOSED };

struct options {
    const char *host, *from, *to, *certificate, *key, *tls;
    unsigned port;
    uint64_t messages, per_connection;
    size_t size, connections, recipients;
    double rate;
    bool pipelining, starttls;
};

struct session {
    int fd;
    SSL *tls;
    enum stage stage;
    uint64_t begun, sent;   /* messages on this connection */
    size_t recipients_left; /* still to be answered */
    const char *out;        /* what is still to be written */
    size_t out_left;
    double content_written_at;
    bool waits_for_room;
    size_t in_used;
    char in[READ_SIZE];
    char commands[COMMANDS_SIZE];
};

static struct options options = {.host = "127.0.0.1", .from = "load@contoso.com", .to = "sink@example.net",
                                 .messages = 1000, .size = 10240, .connections = 20, .recipients = 1};
static struct addrinfo *server;
static SSL_CTX *context;
static int poll_fd;
static char *content;          /* one message, dot-stuffed and ended */
static size_t content_length;
static char *envelope;         /* the commands of one transaction, pipelined */
static size_t envelope_length;
static double *latencies;
static uint64_t begun, accepted, refused, lost, connected, handshakes;
static int awaited_greetings;
static double started_at, ended_at, handshake_cpu;
static char first_trouble[512];

static void die(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(2);
}

static double clock_s(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void trouble(const char *text)
{
    if (!first_trouble[0])
        snprintf(first_trouble, sizeof first_trouble, "%.*s", (int)strcspn(text, "\r\n"), text);
}

/* --- the message and its envelope, the same for all ----------------------------------------------------------- */

static void make_content(void)
{
    static const char line[] = "The quick brown fox jumps over the lazy dog, and the relay keeps count.\r\n";
    size_t room = options.size + 1024;
    content = malloc(room);
    int head = snprintf(content, room,
                        "From: <%s>\r\nTo: <%s>\r\nSubject: load\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
                        "Message-ID: <load@%s>\r\nMIME-Version: 1.0\r\n\r\n",
                        options.from, options.to, strchr(options.from, '@') ? strchr(options.from, '@') + 1 : "load");
    content_length = (size_t)head;
    while (content_length + sizeof line - 1 <= options.size) {
        memcpy(content + content_length, line, sizeof line - 1);
        content_length += sizeof line - 1;
    }
    while (content_length + 2 < options.size)
        content[content_length++] = 'x';
    memcpy(content + content_length, "\r\n.\r\n", 5);
    content_length += 5;
}

/* `sink@example.net` for a single recipient, else `sink0@`, `sink1@` and so on. */
static int write_recipient(char *target, size_t room, size_t number)
{
    const char *at = strchr(options.to, '@');
    if (options.recipients == 1 || !at)
        return snprintf(target, room, "RCPT TO:<%s>\r\n", options.to);
    return snprintf(target, room, "RCPT TO:<%.*s%zu%s>\r\n", (int)(at - options.to), options.to, number, at);
}

static void make_envelope(void)
{
    size_t room = 512 * (options.recipients + 2);
    envelope = malloc(room);
    envelope_length = (size_t)snprintf(envelope, room, "MAIL FROM:<%s>\r\n", options.from);
    for (size_t i = 0; i < options.recipients; i++)
        envelope_length += (size_t)write_recipient(envelope + envelope_length, room - envelope_length, i);
    envelope_length += (size_t)snprintf(envelope + envelope_length, room - envelope_length, "DATA\r\n");
}

/* --- octets --------------------------------------------------------------------------------------------------- */

static void watch(struct session *session, bool for_room)
{
    if (session->waits_for_room == for_room)
        return;
    session->waits_for_room = for_room;
    struct epoll_event event = {.events = for_room ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = session};
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, session->fd, &event);
}

static ssize_t write_some(struct session *session)
{
    if (!session->tls)
        return send(session->fd, session->out, session->out_left, MSG_NOSIGNAL);
    int written = SSL_write(session->tls, session->out, (int)session->out_left);
    if (written > 0)
        return written;
    int error = SSL_get_error(session->tls, written);
    errno = error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? EAGAIN : EIO;
    return -1;
}

/* False when the connection is gone. */
static bool flush(struct session *session)
{
    while (session->out_left) {
        ssize_t written = write_some(session);
        if (written < 0) {
            if (errno != EAGAIN)
                return false;
            watch(session, true);
            return true;
        }
        session->out += written;
        session->out_left -= (size_t)written;
    }
    watch(session, false);
    if (session->stage == FINAL)
        session->content_written_at = clock_s(CLOCK_MONOTONIC);
    return true;
}

static bool say(struct session *session, const char *text, size_t length, enum stage then)
{
    session->out = text;
    session->out_left = length;
    session->stage = then;
    return flush(session);
}

static bool say_text(struct session *session, const char *text, enum stage then)
{
    return say(session, text, strlen(text), then);
}

static ssize_t read_some(struct session *session)
{
    char *room = session->in + session->in_used;
    size_t left = sizeof session->in - session->in_used;
    if (!session->tls)
        return recv(session->fd, room, left, 0);
    int got = SSL_read(session->tls, room, (int)left);
    if (got > 0)
        return got;
    int error = SSL_get_error(session->tls, got);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        errno = EAGAIN;
        return -1;
    }
    return 0;
}

/* --- the session ---------------------------------------------------------------------------------------------- */

static bool open_session(struct session *session)
{
    int one = 1;
    memset(session, 0, offsetof(struct session, in));
    session->fd = socket(server->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (session->fd < 0)
        die("no socket: too many connections for the limit of open files (ulimit -n)");
    setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(session->fd, server->ai_addr, server->ai_addrlen) && errno != EINPROGRESS) {
        trouble(strerror(errno));
        close(session->fd);
        return false;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, session->fd, &event);
    session->stage = GREETING;
    connected++;
    awaited_greetings++;
    return true;
}

static void close_session(struct session *session)
{
    awaited_greetings -= session->stage == GREETING;
    if (session->tls)
        SSL_free(session->tls);
    session->tls = NULL;
    close(session->fd);
    session->stage = CLOSED;
}

static bool begin_transaction(struct session *session)
{
    begun++;
    session->begun++;
    session->recipients_left = options.recipients;
    if (options.pipelining)
        return say(session, envelope, envelope_length, MAIL);
    int length = snprintf(session->commands, sizeof session->commands, "MAIL FROM:<%s>\r\n", options.from);
    return say(session, session->commands, (size_t)length, MAIL);
}

static bool is_due(void)
{
    return options.rate <= 0 || (double)begun <= (clock_s(CLOCK_MONOTONIC) - started_at) * options.rate;
}

/* The next message, a pause until it is due, or the end of the connection. */
static bool go_on(struct session *session)
{
    if (begun >= options.messages || (options.per_connection && session->sent >= options.per_connection))
        return say_text(session, "QUIT\r\n", QUIT);
    if (!is_due()) {
        session->stage = RATE;
        return true;
    }
    return begin_transaction(session);
}

static bool shake_hands(struct session *session)
{
    double before = clock_s(CLOCK_THREAD_CPUTIME_ID);
    int done = SSL_do_handshake(session->tls);
    handshake_cpu += clock_s(CLOCK_THREAD_CPUTIME_ID) - before;
    if (done == 1) {
        handshakes++;
        watch(session, false);
        return say_text(session, "EHLO load.contoso.com\r\n", EHLO);
    }
    int error = SSL_get_error(session->tls, done);
    watch(session, error == SSL_ERROR_WANT_WRITE);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return true;
    trouble(ERR_reason_error_string(ERR_peek_error()) ? ERR_reason_error_string(ERR_get_error()) : "TLS handshake");
    return false;
}

static bool start_tls(struct session *session)
{
    session->tls = SSL_new(context);
    if (!session->tls)
        die("out of memory");
    SSL_set_fd(session->tls, session->fd);
    SSL_set_connect_state(session->tls);
    session->stage = HANDSHAKE;
    return shake_hands(session);
}

static bool next_recipient(struct session *session)
{
    int length = write_recipient(session->commands, sizeof session->commands,
                                 options.recipients - session->recipients_left);
    return say(session, session->commands, (size_t)length, RCPT);
}

static bool note_refusal(struct session *session, const char *text)
{
    refused++;
    trouble(text);
    return say_text(session, "QUIT\r\n", QUIT);
}

static bool obey_recipient_reply(struct session *session)
{
    session->recipients_left--;
    if (options.pipelining) {
        session->stage = session->recipients_left ? RCPT : DATA;
        return true;
    }
    return session->recipients_left ? next_recipient(session) : say_text(session, "DATA\r\n", DATA);
}

static bool obey_final_reply(struct session *session)
{
    latencies[accepted++] = clock_s(CLOCK_MONOTONIC) - session->content_written_at;
    ended_at = clock_s(CLOCK_MONOTONIC);
    session->sent++;
    return go_on(session);
}

/* One whole reply, of which `line` is the last line. False when the connection is to be closed. */
static bool obey_reply(struct session *session, const char *line)
{
    if (line[0] != '2' && line[0] != '3' && session->stage != QUIT)
        return note_refusal(session, line);
    switch (session->stage) {
    case GREETING:
        awaited_greetings--;
        session->stage = EHLO;
        return say_text(session, "EHLO load.contoso.com\r\n", EHLO);
    case EHLO:
        return options.starttls && !session->tls ? say_text(session, "STARTTLS\r\n", STARTTLS) : go_on(session);
    case STARTTLS:
        return start_tls(session);
    case MAIL:
        if (!options.pipelining)
            return next_recipient(session);
        session->stage = RCPT;
        return true;
    case RCPT:
        return obey_recipient_reply(session);
    case DATA:
        return say(session, content, content_length, FINAL);
    case FINAL:
        return obey_final_reply(session);
    default:
        return false;
    }
}

static bool obey_replies(struct session *session)
{
    char *start = session->in, *newline;
    session->in[session->in_used] = 0;
    while ((newline = strchr(start, '\n'))) {
        bool is_last = newline - start >= 4 && start[3] != '-';
        char *line = start;
        start = newline + 1;
        if (is_last && !obey_reply(session, line))
            return false;
    }
    session->in_used -= (size_t)(start - session->in);
    memmove(session->in, start, session->in_used);
    return true;
}

/* False when the connection is to be closed. */
static bool receive(struct session *session)
{
    for (;;) {
        if (session->in_used >= sizeof session->in - 1)
            return false;
        ssize_t got = read_some(session);
        if (got < 0 && errno == EAGAIN)
            return true;
        if (got < 0)
            trouble(strerror(errno));
        if (got <= 0)
            return false;
        session->in_used += (size_t)got;
        if (session->in_used == sizeof session->in)
            return false;
        if (!obey_replies(session))
            return false;
        if (!session->tls || session->stage == HANDSHAKE)
            return true; /* level-triggered: the rest is announced again */
    }
}

static bool happens(struct session *session, uint32_t events)
{
    if (session->stage == HANDSHAKE)
        return shake_hands(session);
    if ((events & EPOLLOUT) && !flush(session))
        return false;
    return receive(session);
}

/* A closed session is opened again while there is work; false when it rests for good, as it does when the server did
 * not even let it begin a transaction. */
static bool renew(struct session *session)
{
    bool in_transaction = session->stage >= MAIL && session->stage <= FINAL;
    if (session->stage != QUIT) {
        lost += in_transaction;
        trouble("connection lost");
    }
    close_session(session);
    return session->begun && begun < options.messages && open_session(session);
}

/* --- the run -------------------------------------------------------------------------------------------------- */

static bool resume_due(struct session *sessions, size_t opened)
{
    bool waiting = false;
    for (size_t i = 0; i < opened; i++) {
        if (sessions[i].stage != RATE)
            continue;
        if (!go_on(&sessions[i]))
            renew(&sessions[i]);
        waiting |= sessions[i].stage == RATE;
    }
    return waiting;
}

static void run(void)
{
    struct session *sessions = calloc(options.connections, sizeof *sessions);
    struct epoll_event events[EVENTS];
    size_t alive = 0;
    started_at = ended_at = clock_s(CLOCK_MONOTONIC);
    size_t opened = 0, wanted = options.connections < options.messages ? options.connections : options.messages;
    while (alive || opened < wanted) {
        while (opened < wanted && awaited_greetings < MOST_AWAITED_GREETINGS)
            alive += open_session(&sessions[opened++]);
        bool waiting = options.rate > 0 && resume_due(sessions, opened);
        int ready = epoll_wait(poll_fd, events, EVENTS, waiting ? 1 : 30000);
        if (ready == 0 && !waiting) {
            trouble("nothing was answered for 30 s");
            return;
        }
        for (int i = 0; i < ready; i++) {
            struct session *session = events[i].data.ptr;
            if (!happens(session, events[i].events) && !renew(session))
                alive--;
        }
    }
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double latency_ms(double share)
{
    return accepted ? latencies[(size_t)((double)(accepted - 1) * share)] * 1000 : 0;
}

static void print_text(const char *text)
{
    putchar('"');
    for (; *text; text++)
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text >= ' ')
            putchar(*text);
    putchar('"');
}

/* How long this thread was ready to run while others had the processors; 0 where the kernel does not say. */
static double waited_for_cpu(void)
{
    unsigned long long on_cpu, waited = 0;
    FILE *file = fopen("/proc/self/schedstat", "r");
    if (!file)
        return 0;
    if (fscanf(file, "%llu %llu", &on_cpu, &waited) != 2)
        waited = 0;
    fclose(file);
    return (double)waited / 1e9;
}

static void report(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    double seconds = ended_at - started_at;
    qsort(latencies, accepted, sizeof *latencies, by_value);
    printf("{\"messages\": %llu, \"accepted\": %llu, \"refused\": %llu, \"lost\": %llu, \"connections\": %llu, "
           "\"handshakes\": %llu, \"seconds\": %.6f, \"per_second\": %.1f, \"started_at\": %.6f, "
           "\"latency_ms\": {\"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"max\": %.3f}, "
           "\"cpu_s\": %.3f, \"handshake_cpu_s\": %.3f, \"waited_for_cpu_s\": %.3f, \"trouble\": ",
           (unsigned long long)options.messages, (unsigned long long)accepted, (unsigned long long)refused,
           (unsigned long long)lost, (unsigned long long)connected, (unsigned long long)handshakes, seconds,
           seconds > 0 ? (double)accepted / seconds : 0, started_at, latency_ms(0.5), latency_ms(0.9),
           latency_ms(0.99), latency_ms(1), cpu, handshake_cpu, waited_for_cpu());
    print_text(first_trouble);
    printf("}\n");
}

static void prepare_tls(void)
{
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL); /* the server is our own; its cost is the matter */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    int protocol = options.tls && !strcmp(options.tls, "1.2") ? TLS1_2_VERSION : TLS1_3_VERSION;
    SSL_CTX_set_min_proto_version(context, protocol);
    SSL_CTX_set_max_proto_version(context, protocol);
    if (options.certificate && (SSL_CTX_use_certificate_chain_file(context, options.certificate) != 1 ||
                                SSL_CTX_use_PrivateKey_file(context, options.key ? options.key : options.certificate,
                                                            SSL_FILETYPE_PEM) != 1))
        die("--certificate or --key is no readable PEM file, or they do not belong together");
}

static void read_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"host", required_argument, NULL, 'h'},        {"port", required_argument, NULL, 'p'},
        {"messages", required_argument, NULL, 'm'},    {"size", required_argument, NULL, 's'},
        {"connections", required_argument, NULL, 'c'}, {"per-connection", required_argument, NULL, 'P'},
        {"recipients", required_argument, NULL, 'r'},  {"from", required_argument, NULL, 'f'},
        {"to", required_argument, NULL, 't'},          {"pipelining", no_argument, NULL, 'i'},
        {"rate", required_argument, NULL, 'R'},        {"starttls", no_argument, NULL, 'T'},
        {"certificate", required_argument, NULL, 'C'}, {"key", required_argument, NULL, 'K'},
        {"tls", required_argument, NULL, 'v'},         {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'h': options.host = optarg; break;
        case 'p': options.port = (unsigned)atoi(optarg); break;
        case 'm': options.messages = strtoull(optarg, NULL, 10); break;
        case 's': options.size = strtoull(optarg, NULL, 10); break;
        case 'c': options.connections = strtoull(optarg, NULL, 10); break;
        case 'P': options.per_connection = strtoull(optarg, NULL, 10); break;
        case 'r': options.recipients = strtoull(optarg, NULL, 10); break;
        case 'f': options.from = optarg; break;
        case 't': options.to = optarg; break;
        case 'i': options.pipelining = true; break;
        case 'R': options.rate = strtod(optarg, NULL); break;
        case 'T': options.starttls = true; break;
        case 'C': options.certificate = optarg; break;
        case 'K': options.key = optarg; break;
        case 'v': options.tls = optarg; break;
        default: exit(2);
        }
    }
    if (!options.port || !options.messages || !options.connections || !options.recipients)
        die("--port, --messages, --connections and --recipients want a number above zero");
    if (strlen(options.from) > 254 || strlen(options.to) > 254)
        die("--from and --to are at most 254 octets");
}

static void find_server(void)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    char port[16];
    snprintf(port, sizeof port, "%u", options.port);
    if (getaddrinfo(options.host, port, &hints, &server))
        die("--host wants an IPv4 or IPv6 address");
}

/* A descriptor for each connection, as far as the hard limit goes. */
static void allow_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    find_server();
    allow_files();
    if (options.starttls)
        prepare_tls();
    make_content();
    make_envelope();
    latencies = calloc(options.messages, sizeof *latencies);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!content || !envelope || !latencies || poll_fd < 0)
        die("out of memory or descriptors");
    run();
    report();
    return refused || lost || accepted < options.messages;
}

/* limits: what the machine can do at most of what a durable relay with TLS must do.
 *
 *     limits SECONDS handshakes CERTIFICATE KEY [CLIENT_CERTIFICATE CLIENT_KEY]
 *     limits SECONDS syncs FOLDER
 *
 * `handshakes` shakes hands for that long within one process, without a network: TLS 1.3, no resumption, and says what
 * each side costs. `syncs` appends 4 KiB and calls fdatasync for that long. One line of JSON each.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
    fprintf(stderr, "limits: %s\n", what);
    exit(2);
}

static double clock_s(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int accept_any(int verified, X509_STORE_CTX *store)
{
    (void)verified;
    (void)store;
    return 1;
}

static SSL_CTX *context_for(const SSL_METHOD *method, const char *certificate, const char *key)
{
    SSL_CTX *context = SSL_CTX_new(method);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    if (certificate && (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
                        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1))
        die("a certificate or key is not readable, or they do not belong together");
    return context;
}

static double step(SSL *side)
{
    double before = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    SSL_do_handshake(side);
    return clock_s(CLOCK_PROCESS_CPUTIME_ID) - before;
}

static void shake_hands(SSL_CTX *servers, SSL_CTX *clients, double *server_s, double *client_s)
{
    SSL *server = SSL_new(servers), *client = SSL_new(clients);
    BIO *near, *far;
    BIO_new_bio_pair(&near, 0, &far, 0);
    SSL_set_bio(server, near, near);
    SSL_set_bio(client, far, far);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    for (int i = 0; i < 10 && !(SSL_is_init_finished(server) && SSL_is_init_finished(client)); i++) {
        *client_s += step(client);
        *server_s += step(server);
    }
    if (!SSL_is_init_finished(server))
        die("the handshake did not end");
    SSL_free(server);
    SSL_free(client);
}

static void measure_handshakes(double seconds, char **files, int count)
{
    SSL_CTX *servers = context_for(TLS_server_method(), files[0], files[1]);
    SSL_CTX *clients = context_for(TLS_client_method(), count > 2 ? files[2] : NULL, count > 2 ? files[3] : NULL);
    double server_s = 0, client_s = 0, start = clock_s(CLOCK_MONOTONIC), end;
    unsigned done = 0;
    SSL_CTX_set_verify(servers, SSL_VERIFY_PEER, accept_any);
    while ((end = clock_s(CLOCK_MONOTONIC)) - start < seconds) {
        shake_hands(servers, clients, &server_s, &client_s);
        done++;
    }
    printf("{\"per_second_both_sides\": %.1f, \"server_cpu_ms\": %.3f, \"client_cpu_ms\": %.3f, "
           "\"server_per_cpu_second\": %.1f}\n",
           done / (end - start), server_s / done * 1000, client_s / done * 1000, done / server_s);
}

static void measure_syncs(double seconds, const char *folder)
{
    char path[4096], block[4096];
    memset(block, 'x', sizeof block);
    snprintf(path, sizeof path, "%s/syncs.%d", folder, (int)getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        die("the folder cannot be written");
    unlink(path);
    double start = clock_s(CLOCK_MONOTONIC), end;
    unsigned done = 0;
    while ((end = clock_s(CLOCK_MONOTONIC)) - start < seconds) {
        if (write(fd, block, sizeof block) != sizeof block || fdatasync(fd))
            die("the disk did not take it");
        done++;
    }
    printf("{\"per_second\": %.1f, \"ms\": %.3f}\n", done / (end - start), (end - start) / done * 1000);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 0;
    if (seconds > 0 && argc >= 5 && !strcmp(argv[2], "handshakes") && argc != 6)
        measure_handshakes(seconds, argv + 3, argc - 3);
    else if (seconds > 0 && argc == 4 && !strcmp(argv[2], "syncs"))
        measure_syncs(seconds, argv[3]);
    else
        die("SECONDS handshakes CERTIFICATE KEY [CLIENT_CERTIFICATE CLIENT_KEY] | SECONDS syncs FOLDER");
    return 0;
}

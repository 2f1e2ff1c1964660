/*
 * The HTTP server: raw targets, bodies and their limit, answers that come
 * later, by file and by stream, garbage, and the end with requests open.  A
 * second thread is the client, on blocking sockets.
 */
#include "../../net/httpd.c"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>

#include "tap.h"

#define HELD 300
#define STREAM_BYTES 200000u

static uv_loop_t loop;
static struct httpd *server;
static uv_async_t finished;
static struct http_request *held[HELD];
static int held_count, closed_count, stream_closed;
static int file = -1;
static double idle_cpu_s;

struct trickle { /* a stream that has 1000 bytes every ms */
    struct http_request *request;
    uv_timer_t timer;
    uint64_t ready;
};

static ssize_t
trickle_read(void *arg, uint64_t pos, char *dst, size_t max)
{
    struct trickle *t = arg;
    size_t n = (size_t)(t->ready - pos);

    if (n > max)
        n = max;
    for (size_t i = 0; i < n; i++)
        dst[i] = (char)('a' + (pos + i) % 26);
    return (ssize_t)n;
}

static void
trickle_freed(uv_handle_t *handle)
{
    free(handle->data);
}

static void
trickle_close(void *arg)
{
    struct trickle *t = arg;

    stream_closed++;
    uv_close((uv_handle_t *)&t->timer, trickle_freed);
}

static void
trickle_more(uv_timer_t *timer)
{
    struct trickle *t = timer->data;

    t->ready += 1000;
    if (t->ready >= STREAM_BYTES)
        uv_timer_stop(timer);
    http_stream_wake(t->request);
}

static void
reply_trickle(struct http_request *r)
{
    struct trickle *t = calloc(1, sizeof(*t));
    struct http_stream stream = {trickle_read, trickle_close, t};

    must(t != NULL);
    t->request = r;
    t->timer.data = t;
    uv_timer_init(&loop, &t->timer);
    uv_timer_start(&t->timer, trickle_more, 1, 1);
    http_reply_stream(r, 200, NULL, STREAM_BYTES, &stream);
}

static void
on_close(struct http_request *r, void *context)
{
    (void)r;
    must(context == &closed_count);
    closed_count++;
}

static void
reply_held(void)
{
    for (int i = 0; i < held_count; i++)
        http_reply(held[i], 200, NULL, "held", 4);
    held_count = 0;
}

static void
handler(struct http_request *r, void *arg)
{
    static const char *const headers[] = {"X-Test: yes", NULL};
    const char *path = http_path(r), *query = http_query(r), *body;
    char text[600];
    size_t len;
    int n;

    (void)arg;
    body = http_body(r, &len);
    if (strcmp(path, "/held") == 0) {
        held[held_count++] = r;
        if (held_count == HELD)
            reply_held();
    } else if (strcmp(path, "/forever") == 0) {
        http_set_context(r, &closed_count, on_close);
    } else if (strcmp(path, "/file") == 0) {
        http_reply_fd(r, 206, headers, file, 10, 50000);
    } else if (strcmp(path, "/stream") == 0) {
        reply_trickle(r);
    } else if (strcmp(path, "/error") == 0) {
        http_reply_error(r, 400, "not \"%s\"", "\xff\x01");
    } else {
        n = snprintf(text, sizeof(text), "%s [%s] [%s] %zu %.8s",
                     http_method(r), path, query == NULL ? "-" : query, len,
                     body);
        http_reply(r, 200, headers, text, (size_t)n);
    }
}

/* The client's side. */

static int
dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(httpd_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    must(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
    return fd;
}

static void
put(int fd, const char *data, size_t len)
{
    ssize_t n;

    for (; len > 0; data += n, len -= (size_t)n) {
        n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0)
            return; /* refused before it was all read */
    }
}

/* All that comes until the server closes: free() it. */
static char *
drain(int fd)
{
    size_t len = 0, cap = 1 << 20;
    char *text = malloc(cap + 1);
    ssize_t n;

    must(text != NULL);
    while (len < cap && (n = recv(fd, text + len, cap - len, 0)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    close(fd);
    return text;
}

static char *
ask(const char *head, size_t body_len)
{
    char *body = malloc(body_len + 1);
    int fd = dial();

    must(body != NULL);
    memset(body, 'x', body_len);
    put(fd, head, strlen(head));
    put(fd, body, body_len);
    free(body);
    return drain(fd);
}

static void
answers(const char *head, size_t body_len, const char *want, const char *name)
{
    char *text = ask(head, body_len);

    has_str(text, want, "%s", name);
    free(text);
}

#define END "Host: x\r\nConnection: close\r\n\r\n"

static void
test_targets(void)
{
    answers("GET /a%20b%00c?q=%00+%41&x HTTP/1.1\r\n" END, 0,
            "GET [/a%20b%00c] [q=%00+%41&x] 0 ", "path and query are raw");
    answers("GET http://h:1/p?q HTTP/1.1\r\n" END, 0, "GET [/p] [q]",
            "absolute form");
    answers("GET http://h HTTP/1.1\r\n" END, 0, "GET [/] [-]",
            "absolute form without a path");
    answers("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\n" END, 0,
            "GET [/2]", "two in one connection");
    answers("HEAD /x HTTP/1.1\r\n" END, 0, "Content-Length: 16\r\n",
            "HEAD says a length");
    answers("GET /error HTTP/1.1\r\n" END, 0, "Cache-Control: no-store\r\n",
            "an error is not kept");
    answers("GET /error HTTP/1.1\r\n" END, 0, "{\"error\":\"not \\\"??\\\"\"}",
            "an error is JSON and printable");
}

static void
test_bodies(void)
{
    answers("POST /p HTTP/1.1\r\nContent-Length: 90000\r\n" END, 90000,
            "POST [/p] [-] 90000 xxxxxxxx", "a body within the limit");
    answers("POST /p HTTP/1.1\r\nContent-Length: 100001\r\n" END, 100001,
            "HTTP/1.1 413", "a body above the limit");
    answers("POST /p HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n" END,
            0, "HTTP/1.1 4", "a length that no integer holds");
    answers("POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END
            "4\r\nabcd\r\n0\r\n\r\n",
            0, "] 4 abcd", "chunked");
    answers("POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
            "Content-Length: 4\r\n" END,
            0, "HTTP/1.1 400", "chunked and a length");
    answers("POST /p HTTP/1.1\r\nTransfer-Encoding: gzip\r\n" END, 0,
            "HTTP/1.1 400", "another coding");
}

/* What may be one request or two. */
static void
test_ambiguous(void)
{
    static const struct {
        const char *head, *name;
    } tries[] = {
        {"Content-Length: 5\r\nContent-Length: 45\r\n", "two lengths"},
        {"Content-Length: 5\r\nContent-Length: 5\r\n", "one length, twice"},
        {"Content-Length : 5\r\n", "a blank behind a name"},
        {"Transfer-Encoding : chunked\r\nContent-Length: 5\r\n",
         "a blank behind another one"},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
         "two codings"},
        {"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
         "two codings, the other way round"},
        {"Transfer-Encoding: chunked, chunked\r\n", "two in a line"},
        {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "both"},
        {"A: b\rContent-Length: 5\r\n", "a CR within a value"},
        {"Host: y\r\n", "two hosts"},
    };
    char head[512], *text;

    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        snprintf(head, sizeof(head),
                 "POST /first HTTP/1.1\r\nHost: x\r\n%s\r\n"
                 "0\r\n\r\nGET /second HTTP/1.1\r\n" END,
                 tries[i].head);
        text = ask(head, 0);
        ok(strncmp(text, "HTTP/1.1 400 ", 13) == 0 &&
               strstr(text, "/second") == NULL,
           "%s: refused, and the connection ends", tries[i].name);
        free(text);
    }
}

static void
test_chunked_excess(void)
{
    static const char head[] =
        "POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END;
    char chunk[8 + 50000];
    int fd = dial();
    char *text;

    memset(chunk, 'x', sizeof(chunk));
    memcpy(chunk, "c350\r\n", 6);
    memcpy(chunk + sizeof(chunk) - 2, "\r\n", 2);
    put(fd, head, sizeof(head) - 1);
    for (int i = 0; i < 3; i++)
        put(fd, chunk, sizeof(chunk));
    put(fd, "0\r\n\r\n", 5);
    text = drain(fd);
    has_str(text, "HTTP/1.1 413", "chunks above the limit");
    free(text);

    fd = dial();
    put(fd, head, sizeof(head) - 1);
    for (int i = 0; i < 100; i++)
        put(fd, chunk, sizeof(chunk));
    text = drain(fd);
    is_str(text, "", "far above it: closed");
    free(text);
}

static void
test_held(void)
{
    int fds[HELD], good = 0;
    char *text;

    for (int i = 0; i < HELD; i++) {
        fds[i] = dial();
        put(fds[i], "GET /held HTTP/1.0\r\n\r\n", 22);
    }
    for (int i = 0; i < HELD; i++) {
        text = drain(fds[i]);
        good += strstr(text, "\r\n\r\nheld") != NULL;
        free(text);
    }
    is_int(good, HELD, "held requests are all answered");
}

static void
test_bulk(void)
{
    char *text = ask("GET /file HTTP/1.1\r\n" END, 0), *body;
    int wrong = 0;

    body = strstr(text, "\r\n\r\n");
    must(body != NULL);
    is_int(strlen(body + 4), 50000, "a part of a file");
    for (int i = 0; i < 50000; i++)
        wrong += body[4 + i] != 'A' + (i + 10) % 26;
    is_int(wrong, 0, "has its bytes");
    has_str(text, "X-Test: yes", "and its headers");
    free(text);

    text = ask("GET /stream HTTP/1.1\r\n" END, 0);
    body = strstr(text, "\r\n\r\n");
    must(body != NULL);
    is_int(strlen(body + 4), STREAM_BYTES, "a stream is whole");
    for (unsigned i = 0; i < STREAM_BYTES; i++)
        wrong += body[4 + i] != (char)('a' + i % 26);
    is_int(wrong, 0, "has its bytes");
    free(text);
}

static void
test_garbage(void)
{
    static const char *const heads[] = {
        "garbage\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        "\x16\x03\x01\x02\x01\x01\x01\xfc\x03\x03\r\n\r\n",
    };
    size_t refused = 0, count = sizeof(heads) / sizeof(heads[0]);
    char *text;

    for (size_t i = 0; i < count; i++) {
        text = ask(heads[i], 0);
        if (text[0] == '\0' || strncmp(text, "HTTP/1.1 4", 10) == 0 ||
            strncmp(text, "HTTP/1.0 4", 10) == 0 ||
            strncmp(text, "HTTP/1.1 505", 12) == 0)
            refused++;
        else
            diag("case %zu: %.60s", i, text);
        free(text);
    }
    is_int(refused, count, "garbage gets 4xx, 505 or a closed connection");
    text = ask("GET /x HTTP/1.1\r\nHost: x\r\nA: ", 20000);
    has_str(text, "HTTP/1.1 4", "a head that is too long");
    free(text);
}

/* A client that leaves in the middle of a request does not keep its place. */
static void
test_cut_off(void)
{
    struct timespec begun, ended;
    int fd = dial();
    char byte;

    clock_gettime(CLOCK_MONOTONIC, &begun);
    put(fd, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab", 51);
    shutdown(fd, SHUT_WR);
    is_int(recv(fd, &byte, 1, 0), 0, "half a request ends without an answer");
    clock_gettime(CLOCK_MONOTONIC, &ended);
    ok(ended.tv_sec - begun.tv_sec < 15, "long before it counts as idle");
    close(fd);
}

static double
cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void *
client(void *arg)
{
    const struct timespec pause = {.tv_nsec = 300000000};
    int *fds = arg;
    double before;

    test_targets();
    test_bodies();
    test_ambiguous();
    test_chunked_excess();
    test_held();
    test_bulk();
    test_garbage();
    test_cut_off();
    fds[0] = dial();
    put(fds[0], "GET /forever HTTP/1.1\r\nHost: x\r\n\r\n", 34);
    fds[1] = dial(); /* says nothing */
    before = cpu_seconds();
    nanosleep(&pause, NULL);
    idle_cpu_s = cpu_seconds() - before;
    uv_async_send(&finished);
    return NULL;
}

static void
on_finished(uv_async_t *async)
{
    is_int(httpd_connections(server), 2, "connections are counted");
    httpd_quiesce(server);
    httpd_free(server);
    uv_close((uv_handle_t *)async, NULL);
}

static void
test_listen(struct httpd_options *options)
{
    static const char *const bad[] = {"",
                                      "8090",
                                      "127.0.0.1",
                                      "::1:80",
                                      "127.0.0.1:x",
                                      "host.name:80",
                                      "127.0.0.1:99999"};
    struct ol_error err = {""};
    struct httpd *other;
    char text[64];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        options->listen = bad[i];
        is_int(httpd_create(&loop, options, &other, &err), -EINVAL,
               "refused: \"%s\"", bad[i]);
    }
    snprintf(text, sizeof(text), "127.0.0.1:%u", httpd_port(server));
    options->listen = text;
    is_int(httpd_create(&loop, options, &other, &err), -EADDRINUSE,
           "a second instance is refused");
    has_str(err.text, text, "by the name of the address");
}

int
main(void)
{
    struct httpd_options options = {
        .listen = "127.0.0.1:0", .max_body = 100000, .handler = handler};
    char path[] = "/tmp/offload-httpd-XXXXXX";
    struct ol_error err = {""};
    int fds[2];
    pthread_t thread;

    file = mkstemp(path);
    must(file >= 0 && unlink(path) == 0);
    for (int i = 0; i < 60000; i++)
        must(write(file, &"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i % 26], 1) == 1);
    log_set_level(LOG_ERROR_);
    must(uv_loop_init(&loop) == 0);
    is_int(httpd_create(&loop, &options, &server, &err), 0, "listens");
    test_listen(&options);
    uv_async_init(&loop, &finished, on_finished);
    must(pthread_create(&thread, NULL, client, fds) == 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    pthread_join(thread, NULL);
    is_int(closed_count, 1, "the end tells who holds an open request");
    is_int(stream_closed, 1, "streams are closed once");
    ok(idle_cpu_s < 0.1, "an idle server sleeps (%.3f s)", idle_cpu_s);
    close(fds[0]);
    close(fds[1]);
    close(file);
    is_int(uv_loop_close(&loop), 0, "no handle is left");
    return tap_done();
}

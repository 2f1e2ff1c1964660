/*
 * Who is served by the HTTP server, and who is not: requests that trickle in,
 * a table full of idle connections, too many of one address; and who a client
 * behind proxies is.  A second thread is the clients, on blocking sockets.
 */
#include "../../net/httpd.c"

#include <arpa/inet.h>
#include <pthread.h>
#include <time.h>

#include "tap.h"

#define PLACES 64
#define PER_ADDRESS 10
#define WAIT_MS 600
#define YOUNG_MS 200
#define HELD (PLACES - 6)

static uv_loop_t loop;
static struct httpd *server;
static uv_async_t finished;
static struct ol_cidrs proxies;
static struct http_request *held[HELD];
static int held_count;

static void
handler(struct http_request *r, void *arg)
{
    char text[OL_ADDR_TEXT];
    struct ol_addr addr;

    (void)arg;
    if (strcmp(http_path(r), "/held") == 0 && held_count < HELD) {
        held[held_count++] = r;
        return;
    }
    while (strcmp(http_path(r), "/go") == 0 && held_count > 0)
        http_reply(held[--held_count], 200, NULL, "held", 4);
    http_client(r, &addr);
    ol_addr_text(&addr, text, sizeof(text));
    http_reply(r, 200, NULL, text, strlen(text));
}

static int
dial(const char *from)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(httpd_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in own = {.sin_family = AF_INET,
                              .sin_addr.s_addr = inet_addr(from)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    must(fd >= 0 && bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0 &&
         connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
    return fd;
}

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool
is_closed(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0 ||
           (errno != EAGAIN && errno != EINTR);
}

static void
put(int fd, const char *path, const char *headers)
{
    char text[1024];
    int len =
        snprintf(text, sizeof(text),
                 "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n",
                 path, headers);

    send(fd, text, (size_t)len, MSG_NOSIGNAL);
}

/* The body of the answer, "" if there is none. */
static const char *
get(int fd)
{
    static char text[4096];
    const char *body;
    size_t len = 0;
    ssize_t n;

    while ((n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
        len += (size_t)n;
    close(fd);
    text[len] = '\0';
    body = strstr(text, "\r\n\r\n");
    return body == NULL ? "" : body + 4;
}

static const char *
ask(const char *from, const char *headers)
{
    int fd = dial(from);

    put(fd, "/", headers);
    return get(fd);
}

static void
test_client(void)
{
    static const struct {
        const char *from, *headers, *client;
    } cases[] = {
        {"127.0.0.2", "", "127.0.0.2"},
        {"127.0.0.2", "X-Forwarded-For: 192.0.2.1\r\n", "127.0.0.2"},
        {"127.0.1.1", "", "127.0.1.1"},
        {"127.0.1.1", "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"},
        {"127.0.1.1", "x-forwarded-for:  192.0.2.1 ,\t10.1.1.1 \r\n",
         "192.0.2.1"},
        {"127.0.1.1", "X-Forwarded-For: 192.0.2.9, 192.0.2.1, 10.1.1.1\r\n",
         "192.0.2.1"},
        {"127.0.1.1",
         "X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-For: 192.0.2.1\r\n"
         "X-Forwarded-For: 10.1.1.1\r\n",
         "192.0.2.1"},
        {"127.0.1.1", "X-Forwarded-For: 10.1.1.2, 10.1.1.1\r\n", "10.1.1.2"},
        {"127.0.1.1", "X-Forwarded-For: 192.0.2.1, unknown, 10.1.1.1\r\n",
         "10.1.1.1"},
        {"127.0.1.1", "X-Forwarded-For: 192.0.2.1,\r\n", "127.0.1.1"},
        {"127.0.1.1", "X-Forwarded-For:\r\n", "127.0.1.1"},
        {"127.0.1.1", "X-Forwarded-For: ::ffff:192.0.2.1\r\n", "192.0.2.1"},
        {"127.0.1.1", "X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1"},
        {"127.0.1.1", "X-Forwarded-For: [2001:DB8:0::1]:80\r\n", "2001:db8::1"},
        {"127.0.1.1", "X-Forwarded-For: [2001:db8::1]\r\n", "2001:db8::1"},
        {"127.0.1.1", "X-Forwarded-For: 192.0.2.1:4711\r\n", "192.0.2.1"},
        {"127.0.1.1", "X-Forwarded-For: [2001:db8::1]x\r\n", "127.0.1.1"},
        {"127.0.1.1", "X-Forwarded-For: [2001:db8::1\r\n", "127.0.1.1"},
        {"127.0.1.1", "X-Forwarded-For: 192.0.2.1.example\r\n", "127.0.1.1"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        is_str(ask(cases[i].from, cases[i].headers), cases[i].client,
               "from %s: %s", cases[i].from, cases[i].client);
}

/* A byte now and then does not hold a place for ever. */
static void
test_trickle(void)
{
    static const char head[] = "GET / HTTP/1.1\r\nX: ";
    const struct timespec pause = {.tv_nsec = 20000000};
    int fd = dial("127.0.0.2");
    int64_t begun = now_ms();
    size_t sent = 0;

    while (!is_closed(fd) && now_ms() - begun < 20 * WAIT_MS) {
        send(fd, sent < sizeof(head) - 1 ? &head[sent] : "a", 1, MSG_NOSIGNAL);
        sent++;
        nanosleep(&pause, NULL);
    }
    ok(now_ms() - begun >= WAIT_MS - 50, "a trickle has its time (%lld ms)",
       (long long)(now_ms() - begun));
    ok(now_ms() - begun < 10 * WAIT_MS, "and no more");
    ok(sent > 5, "though it has sent %zu bytes", sent);
    close(fd);
}

/* More idle connections than there are places, and honest clients between. */
static void
test_full(void)
{
    int fds[4 * PLACES], good = 0, asked = 0, left = 0;

    for (int i = 0; i < 4 * PLACES; i++) {
        fds[i] = dial("127.0.1.1"); /* a proxy: not limited as one client */
        if (i % 2 == 0)
            send(fds[i], "GET / HT", 8, MSG_NOSIGNAL);
        if (i % 8 != 0)
            continue;
        asked++;
        good += strcmp(ask("127.0.0.3", ""), "127.0.0.3") == 0;
    }
    is_int(good, asked, "every honest client is served");
    for (int i = 0; i < 4 * PLACES; i++) {
        left += !is_closed(fds[i]);
        close(fds[i]);
    }
    ok(left > PLACES / 2 && left <= PLACES, "of the idle %d are there still",
       left);
}

/*
 * Nearly all places are taken by requests under way: neither do they end, nor
 * those that have only just come and have not asked yet.
 */
static void
test_busy(void)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    int fds[HELD], young[5], good = 0, asked = sizeof(young) / sizeof(*young);

    for (int i = 0; i < HELD; i++) {
        fds[i] = dial("127.0.1.1");
        put(fds[i], "/held", "");
    }
    for (int i = 0; i < asked; i++)
        young[i] = dial("127.0.0.4");
    nanosleep(&pause, NULL);
    for (int i = 0; i < asked; i++)
        put(young[i], "/", "");
    for (int i = 0; i < asked; i++)
        good += strcmp(get(young[i]), "127.0.0.4") == 0;
    is_int(good, asked, "newcomers have the time to ask");
    for (int i = 0; i < 6; i++)
        nanosleep(&pause, NULL); /* longer than YOUNG_MS */
    young[0] = dial("127.0.0.4");
    put(young[0], "/go", "");
    is_str(get(young[0]), "127.0.0.4", "and are served");
    good = 0;
    for (int i = 0; i < HELD; i++)
        good += strcmp(get(fds[i]), "held") == 0;
    is_int(good, HELD, "requests under way are answered");
}

static void
test_address(void)
{
    int fds[3 * PER_ADDRESS], left = 0;
    struct timespec pause = {.tv_nsec = 100000000};

    for (int i = 0; i < 3 * PER_ADDRESS; i++)
        fds[i] = dial("127.0.0.9");
    nanosleep(&pause, NULL);
    for (int i = 0; i < 3 * PER_ADDRESS; i++)
        left += !is_closed(fds[i]);
    is_int(left, PER_ADDRESS, "one address has so many connections");
    is_str(ask("127.0.0.9", ""), "", "and no more");
    is_str(ask("127.0.0.8", ""), "127.0.0.8", "another is served");
    for (int i = 0; i < 3 * PER_ADDRESS; i++)
        close(fds[i]);
    for (int i = 0; i < 100 && strcmp(ask("127.0.0.9", ""), "127.0.0.9") != 0;
         i++)
        nanosleep(&pause, NULL);
    is_str(ask("127.0.0.9", ""), "127.0.0.9", "when they are gone it is, too");
}

static void *
client(void *arg)
{
    (void)arg;
    test_client();
    test_trickle();
    test_full();
    test_busy();
    test_address();
    uv_async_send(&finished);
    return NULL;
}

static void
on_finished(uv_async_t *async)
{
    is_int(httpd_busy(server), 0, "no request is under way");
    httpd_free(server);
    uv_close((uv_handle_t *)async, NULL);
}

int
main(void)
{
    const struct httpd_options options = {.listen = "127.0.0.1:0",
                                          .proxies = &proxies,
                                          .max_connections = PLACES,
                                          .max_connections_per_address =
                                              PER_ADDRESS,
                                          .handler = handler};
    struct ol_error err = {""};
    pthread_t thread;

    must(ol_cidrs_add(&proxies, "127.0.1.0/24", &err) == 0 &&
         ol_cidrs_add(&proxies, "10.0.0.0/8", &err) == 0);
    log_set_level(LOG_ERROR_);
    must(uv_loop_init(&loop) == 0);
    is_int(httpd_create(&loop, &options, &server, &err), 0, "listens");
    is_int(server->wait_ms, (HTTPD_IDLE_S + HTTPD_REQUEST_S) * 1000,
           "how long a connection may wait");
    server->wait_ms = WAIT_MS;
    server->young_ms = YOUNG_MS;
    uv_async_init(&loop, &finished, on_finished);
    must(pthread_create(&thread, NULL, client, NULL) == 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    pthread_join(thread, NULL);
    is_int(uv_loop_close(&loop), 0, "no handle is left");
    return tap_done();
}

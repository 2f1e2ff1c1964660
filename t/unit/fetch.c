/*
 * Requests on the loop, against a real nginx: answers and errors, the address
 * rule, limits, stalls, pausing, and cancelling from every call-back.
 */
#include "net/fetch.c"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tap.h"

#define FILE_BYTES 3000000

static uv_loop_t loop;
static char folder[] = "/tmp/fetch-test-XXXXXX";
static int port, silent_port;
static pid_t nginx;

/* The server */

static int
listen_somewhere(int *ret_port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sin);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    must(bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
    must(listen(fd, 16) == 0);
    must(getsockname(fd, (struct sockaddr *)&sin, &len) == 0);
    *ret_port = ntohs(sin.sin_port);
    return fd;
}

static FILE *
create(const char *name)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "w");
    must(f != NULL);
    return f;
}

static void
write_files(void)
{
    FILE *f = create("nginx.conf");

    fprintf(f,
            "daemon off; master_process off; pid %s/pid;\n"
            "error_log %s/error.log; events {}\n"
            "http { access_log off; default_type text/plain;\n"
            "server { listen 127.0.0.1:%d; root %s;\n"
            "location = /count { return 200 $connection_requests; }\n"
            "location = /moved { return 302 /file; }\n"
            "location = /echo { client_body_buffer_size 64k;\n"
            "  return 200 \"$request_method $content_length $http_x_a\"; }\n"
            "location = /twice { add_header X-Two a; add_header X-Two b;\n"
            "  return 200 ok; }\n"
            "location = /heads {\n",
            folder, folder, port, folder);
    for (int i = 0; i < 12; i++)
        fprintf(f, "  add_header X-%d %03000d;\n", i, 0);
    fputs("  return 200 x; } } }\n", f);
    fclose(f);
    f = create("file");
    for (int i = 0; i < FILE_BYTES; i++)
        putc(i % 251, f);
    fclose(f);
}

static void
start_nginx(void)
{
    struct sockaddr_in sin = {.sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char conf[64];
    int fd;

    must(mkdtemp(folder) != NULL && chmod(folder, 0755) == 0);
    close(listen_somewhere(&port));
    write_files();
    snprintf(conf, sizeof(conf), "%s/nginx.conf", folder);
    nginx = fork();
    if (nginx == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* also if the test crashes */
        setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
        execlp("nginx", "nginx", "-c", conf, NULL);
        _exit(127);
    }
    sin.sin_port = htons((uint16_t)port);
    for (int i = 0; i < 1000; i++) {
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0) {
            close(fd);
            return;
        }
        close(fd);
        must(waitpid(nginx, NULL, WNOHANG) == 0);
        usleep(10000);
    }
    must(!"nginx is not ready after 10 s");
}

static void
stop_nginx(void)
{
    char command[64];

    kill(nginx, SIGTERM);
    waitpid(nginx, NULL, 0);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    must(system(command) == 0);
}

/* A request and what came of it */

struct seen {
    struct fetcher *fetcher;
    int heads, done, error, status;
    size_t data, len;
    bool intact;
    int64_t date;
    char text[400], body[128], address[64], redirect[128], header[128];
    int (*on_data)(struct seen *seen, struct fetch *fetch);
    struct fetch *fetch, *other;
    uv_timer_t timer;
};

static int
on_head_seen(struct fetch *fetch, int status, void *arg)
{
    struct seen *seen = arg;
    const char *two = fetch_header(fetch, "x-two");

    seen->heads++;
    seen->status = status;
    snprintf(seen->header, sizeof(seen->header), "%s", two ? two : "");
    return 0;
}

static int
on_data_seen(struct fetch *fetch, const void *data, size_t len, void *arg)
{
    struct seen *seen = arg;
    const uint8_t *bytes = data;

    for (size_t i = 0; i < len; i++)
        seen->intact &= bytes[i] == (seen->data + i) % 251;
    seen->data += len;
    return seen->on_data != NULL ? seen->on_data(seen, fetch) : 0;
}

static void
on_done_seen(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct seen *seen = arg;

    (void)fetch;
    seen->done++;
    seen->error = result->error;
    seen->status = result->status;
    seen->len = result->body_len;
    seen->date = result->date;
    snprintf(seen->text, sizeof(seen->text), "%s", result->text);
    snprintf(seen->body, sizeof(seen->body), "%s", result->body);
    snprintf(seen->address, sizeof(seen->address), "%s", result->address);
    snprintf(seen->redirect, sizeof(seen->redirect), "%s", result->redirect);
    if (seen->other != NULL)
        fetch_cancel(seen->other);
}

static const char *
url_of(int to_port, const char *path)
{
    static char url[4][128];
    static unsigned turn;
    char *dst = url[turn++ % 4];

    snprintf(dst, sizeof(url[0]), "http://127.0.0.1:%d%s", to_port, path);
    return dst;
}

static struct fetch_request
request_of(const char *url, struct seen *seen)
{
    struct fetch_request request = {.url = url,
                                    .on_head = on_head_seen,
                                    .on_done = on_done_seen,
                                    .arg = seen};

    *seen = (struct seen){.intact = true};
    return request;
}

static struct fetcher *
open_fetcher(const struct fetcher_options *options)
{
    struct fetcher *fetcher;

    must(fetcher_create(&loop, options, &fetcher) == 0);
    return fetcher;
}

static void
close_fetcher(struct fetcher *fetcher)
{
    fetcher_free(fetcher);
    uv_run(&loop, UV_RUN_DEFAULT);
}

/* One request, alone, to its end. */
static void
fetch_one(const struct fetcher_options *options, struct fetch_request *request)
{
    struct fetcher *fetcher = open_fetcher(options);
    struct fetch *fetch;

    must(fetch_start(fetcher, request, &fetch) == 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    close_fetcher(fetcher);
}

static const struct fetcher_options any_address = {.user_agent = "test"};

static void
test_answers(void)
{
    const char *headers[] = {"X-A: b", NULL};
    struct seen seen;
    struct fetch_request request = request_of(url_of(port, "/twice"), &seen);

    fetch_one(&any_address, &request);
    is_int(seen.done, 1, "one answer");
    is_int(seen.error, 0, "without error");
    is_str(seen.body, "ok", "with its body");
    is_str(seen.header, "b", "the last header of a name");
    is_str(seen.address, "127.0.0.1", "the address");
    ok(llabs((long long)(seen.date - time(NULL))) < 5, "the date");
    request = request_of(url_of(port, "/nothing"), &seen);
    fetch_one(&any_address, &request);
    ok(seen.error == 0 && seen.status == 404, "404 is an answer");
    request = request_of(url_of(port, "/moved"), &seen);
    fetch_one(&any_address, &request);
    is_int(seen.status, 302, "a redirect is not followed");
    is_str(seen.redirect, url_of(port, "/file"), "but told");
    request = request_of(url_of(port, "/echo"), &seen);
    request.body = "hello";
    request.body_len = 5;
    request.headers = headers;
    fetch_one(&any_address, &request);
    is_str(seen.body, "POST 5 b", "a body makes it a POST");
    request = request_of(url_of(port, "/file"), &seen);
    request.method = "HEAD";
    fetch_one(&any_address, &request);
    ok(seen.error == 0 && seen.len == 0 && seen.heads == 1, "HEAD");
    request = request_of(url_of(port, "/file"), &seen);
    request.on_data = on_data_seen;
    request.max_body = FILE_BYTES;
    fetch_one(&any_address, &request);
    ok(seen.error == 0 && seen.data == FILE_BYTES && seen.intact,
       "a body as it comes");
}

static void
test_errors(void)
{
    struct seen seen;
    struct fetch_request request = request_of(url_of(port, "/file"), &seen);
    struct fetcher *fetcher;
    struct fetch *fetch;

    fetch_one(&any_address, &request);
    is_int(seen.error, -EMSGSIZE, "more than 64 KiB: refused");
    has_str(seen.text, "65536 bytes", "with the limit");
    request = request_of(url_of(port, "/file"), &seen);
    request.on_data = on_data_seen;
    request.max_body = FILE_BYTES - 1;
    fetch_one(&any_address, &request);
    is_int(seen.error, -EMSGSIZE, "a byte over the limit: refused");
    ok(seen.data < FILE_BYTES, "and not passed on");
    request = request_of(url_of(port, "/heads"), &seen);
    fetch_one(&any_address, &request);
    is_int(seen.error, -EMSGSIZE, "36 kB of headers: refused");
    request = request_of("http://no-such-host.invalid/", &seen);
    fetch_one(&any_address, &request);
    is_int(seen.error, -EHOSTUNREACH, "no such host");
    request = request_of(url_of(1, "/"), &seen);
    fetch_one(&any_address, &request);
    is_int(seen.error, -ECONNREFUSED, "nobody listens");
    request = request_of(url_of(silent_port, "/"), &seen);
    request.stall_ms = 300;
    fetch_one(&any_address, &request);
    is_int(seen.error, -ETIMEDOUT, "a server that says nothing");
    has_str(seen.text, "no bytes for 300 ms", "is told as that");
    request = request_of(url_of(silent_port, "/"), &seen);
    request.total_ms = 200;
    fetch_one(&any_address, &request);
    is_int(seen.error, -ETIMEDOUT, "a limit for the whole");

    fetcher = open_fetcher(&any_address);
    request.url = "ftp://127.0.0.1/";
    is_int(fetch_start(fetcher, &request, &fetch), -EINVAL, "only http(s)");
    request.url = "http://me:pw@127.0.0.1/";
    is_int(fetch_start(fetcher, &request, &fetch), -EINVAL, "no passwords");
    close_fetcher(fetcher);
}

static void
test_addresses(void)
{
    struct ol_cidrs allow = {0};
    struct fetcher_options strict = {.public_only = true};
    struct seen seen;
    struct fetch_request request = request_of(url_of(port, "/count"), &seen);
    char url[64];

    fetch_one(&strict, &request);
    is_int(seen.error, -EHOSTUNREACH, "loopback is refused");
    has_str(seen.text, "address 127.0.0.1 is not public", "by its address");
    snprintf(url, sizeof(url), "http://localhost:%d/count", port);
    request = request_of(url, &seen);
    fetch_one(&strict, &request);
    is_int(seen.error, -EHOSTUNREACH, "a name that leads there, too");
    must(ol_cidrs_add(&allow, "127.0.0.0/8", NULL) == 0);
    strict.allow = &allow;
    request = request_of(url_of(port, "/count"), &seen);
    fetch_one(&strict, &request);
    is_int(seen.error, 0, "unless allowed");
    request = request_of("http://127.0.0.1:22/", &seen);
    fetch_one(&strict, &request);
    is_int(seen.error, -EHOSTUNREACH, "port 22 is refused even there");
    has_str(seen.text, "port 22", "by name");
}

static int
say_no(struct fetch *fetch, int status, void *arg)
{
    (void)arg;
    fetch_set_text(fetch, "status %d is not wanted", status);
    return -1;
}

static int
cancel_itself(struct seen *seen, struct fetch *fetch)
{
    if (seen->data > 100000)
        fetch_cancel(fetch);
    return 0;
}

static int
cancel_other(struct seen *seen, struct fetch *fetch)
{
    (void)fetch;
    if (seen->other != NULL)
        fetch_cancel(seen->other);
    seen->other = NULL;
    return 0;
}

static int
free_all(struct seen *seen, struct fetch *fetch)
{
    (void)fetch;
    fetcher_free(seen->fetcher);
    return 0;
}

static void
test_cancel(void)
{
    struct seen seen, other;
    struct fetch_request request = request_of(url_of(port, "/count"), &seen);
    struct fetch_request silent = request_of(url_of(silent_port, "/"), &other);
    struct fetcher *fetcher;
    struct fetch *fetch;

    request.on_head = say_no;
    fetch_one(&any_address, &request);
    is_int(seen.error, -ECANCELED, "on_head may say no");
    is_str(seen.text, "status 200 is not wanted", "and why");
    request = request_of(url_of(port, "/file"), &seen);
    request.on_data = on_data_seen;
    request.max_body = FILE_BYTES;
    seen.on_data = cancel_itself;
    fetch_one(&any_address, &request);
    ok(seen.done == 0 && seen.data < FILE_BYTES,
       "cancelled in on_data: no more call-backs");

    for (int way = 0; way < 3; way++) {
        fetcher = open_fetcher(&any_address);
        request = request_of(url_of(port, "/file"), &seen);
        request.on_data = on_data_seen;
        request.max_body = FILE_BYTES;
        silent = request_of(url_of(silent_port, "/"), &other);
        must(fetch_start(fetcher, &silent, &fetch) == 0);
        seen.other = fetch;
        seen.fetcher = fetcher;
        seen.on_data = way == 0 ? cancel_other : way == 1 ? NULL : free_all;
        must(fetch_start(fetcher, &request, &seen.fetch) == 0);
        uv_run(&loop, UV_RUN_DEFAULT);
        is_int(other.done, 0, "another one cancelled from %s",
               way == 0   ? "on_data"
               : way == 1 ? "on_done"
                          : "on_data, with the whole fetcher");
        is_int(seen.done, way == 2 ? 0 : 1, "and what is left goes on");
        if (way != 2)
            close_fetcher(fetcher);
    }
}

static void
on_resume(uv_timer_t *timer)
{
    struct seen *seen = timer->data;

    fetch_resume(seen->fetch);
    uv_close((uv_handle_t *)timer, NULL);
}

static int
pause_once(struct seen *seen, struct fetch *fetch)
{
    if (seen->data < 200000 || seen->heads > 1)
        return 0;
    seen->heads++;
    fetch_pause(fetch);
    uv_timer_init(&loop, &seen->timer);
    seen->timer.data = seen;
    uv_timer_start(&seen->timer, on_resume, 700, 0);
    return 0;
}

static void
test_pause(void)
{
    struct fetcher *fetcher = open_fetcher(&any_address);
    struct seen seen;
    struct fetch_request request = request_of(url_of(port, "/file"), &seen);
    uint64_t start = uv_hrtime();

    request.on_data = on_data_seen;
    request.max_body = FILE_BYTES;
    request.stall_ms = 300;
    seen.on_data = pause_once;
    must(fetch_start(fetcher, &request, &seen.fetch) == 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    ok(seen.error == 0 && seen.data == FILE_BYTES && seen.intact,
       "paused and resumed, it is whole");
    ok(uv_hrtime() - start > 700000000, "and a pause is no stall");
    close_fetcher(fetcher);
}

static void
test_many(void)
{
    struct fetcher_options few = {.max_active = 40};
    struct fetcher *fetcher = open_fetcher(&few);
    struct seen seen[41];
    struct fetch_request request;
    struct fetch *fetch;
    int done = 0, right = 0, rc = 0;

    for (int i = 0; i < 41; i++) {
        request = request_of(url_of(port, "/count"), &seen[i]);
        rc = fetch_start(fetcher, &request, &fetch);
        done += rc == 0;
    }
    is_int(done, 40, "as many as max_active");
    is_int(rc, -EAGAIN, "and no more");
    uv_run(&loop, UV_RUN_DEFAULT);
    for (int i = 0; i < 40; i++)
        right += seen[i].done == 1 && seen[i].error == 0;
    is_int(right, 40, "all are answered");
    request = request_of(url_of(port, "/count"), &seen[0]);
    must(fetch_start(fetcher, &request, &fetch) == 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    ok(atoi(seen[0].body) > 1, "and a connection is used again");
    close_fetcher(fetcher);
}

int
main(void)
{
    int silent = listen_somewhere(&silent_port);

    signal(SIGPIPE, SIG_IGN);
    must(uv_loop_init(&loop) == 0);
    start_nginx();
    test_answers();
    test_errors();
    test_addresses();
    test_cancel();
    test_pause();
    test_many();
    is_int(uv_loop_close(&loop), 0, "nothing is left on the loop");
    stop_nginx();
    close(silent);
    return tap_done();
}

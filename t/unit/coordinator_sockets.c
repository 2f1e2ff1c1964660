/*
 * The sockets of a coordinator: bound once, handed on as text, and what is no
 * such text.
 */
#include "../../coordinator/sockets.c"

#include "tap.h"

static void
refused(const char *text)
{
    struct sockets s;

    is_int(sockets_parse(text, 7, &s), -EINVAL, "refused: %.60s", text);
}

static void
test_text(void)
{
    struct sockets s = {.count = 2, .old = {11, 12, 13}, .old_count = 3}, back;
    char text[SOCKETS_TEXT], again[SOCKETS_TEXT];

    for (int i = 0; i < 2; i++) {
        s.fds[SOCKETS_LISTEN][i] = 3 + i;
        s.fds[SOCKETS_UDP][i] = 5 + i;
    }
    strcpy(s.where[SOCKETS_LISTEN], "[::1]:80");
    strcpy(s.where[SOCKETS_UDP], "[::1]:80");
    sockets_text(&s, 7, text);
    is_str(text, "pid=,7;listen=[::1]:80,3,4;udp=[::1]:80,5,6;old=,11,12,13",
           "as text");
    is_int(sockets_parse(text, 7, &back), 0, "and back");
    ok(back.count == 2 && back.old_count == 3 && back.old[2] == 13 &&
           back.fds[SOCKETS_UDP][1] == 6 && back.where[SOCKETS_TLS][0] == '\0',
       "all is there");
    sockets_text(&back, 7, again);
    is_str(again, text, "the same");
    is_int(sockets_parse(text, 8, &back), -EINVAL, "another process's");
}

static void
test_refused(void)
{
    char text[2 * SOCKETS_TEXT];

    refused("");
    refused("listen=a,3");
    refused("pid=");
    refused("pid=,8");
    refused("pid=,7,7");
    refused("pid=,7;nonsense");
    refused("pid=,7;tcp=a,3");
    refused("pid=,7;listen=a");
    refused("pid=,7;listen=a,");
    refused("pid=,7;listen=a,x");
    refused("pid=,7;listen=a,-1");
    refused("pid=,7;listen=a,99999999999");
    refused("pid=,7;listen=a,3,4;udp=a,5");
    memset(text, 'x', sizeof(text));
    memcpy(text, "pid=,7;listen=", 14);
    text[200] = '\0';
    strcat(text, ",3");
    refused(text);
    strcpy(text, "pid=,7;listen=a");
    for (int i = 0; i <= METRICS_WORKERS; i++)
        strcat(text, ",3");
    refused(text);
    memset(text, 'x', sizeof(text));
    memcpy(text, "pid=,7;listen=", 14);
    text[sizeof(text) - 1] = '\0';
    refused(text);
}

static void
test_open(void)
{
    struct options o = {.listen = "127.0.0.1:0", .workers = 2};
    struct sockets s = {.count = 0}, second = {.count = 0};
    struct ol_error err = {""};
    char where[32];
    int fd = -1;
    uint16_t port;

    must(listen_open("127.0.0.1:0", &fd, &port, &err) == 0);
    close(fd);
    snprintf(where, sizeof(where), "127.0.0.1:%u", port);
    o.listen = where;
    o.tracker = true;
    is_int(sockets_open(&s, &o, &err), 0, "bound");
    ok(s.count == 2 && s.fds[SOCKETS_LISTEN][0] != s.fds[SOCKETS_LISTEN][1] &&
           s.where[SOCKETS_TLS][0] == '\0',
       "one for each worker");
    is_int(listen_port(s.fds[SOCKETS_UDP][1]), port, "for datagrams as well");
    is_int(sockets_open(&second, &o, &err), -EADDRINUSE,
           "another process is refused");
    fd = s.fds[SOCKETS_LISTEN][0];
    o.workers = 3;
    is_int(sockets_open(&s, &o, &err), 0, "one more");
    ok(s.count == 3 && s.fds[SOCKETS_LISTEN][0] == fd, "besides those before");
    o.workers = 1;
    is_int(sockets_open(&s, &o, &err), 0, "fewer");
    is_int(s.count, 3, "it never has");
    o.tracker = false;
    is_int(sockets_open(&s, &o, &err), 0, "no tracker any more");
    ok(s.where[SOCKETS_UDP][0] == '\0', "so no datagrams");
    sockets_only(&s, 2);
    is_int(fcntl(fd, F_GETFD), -1, "a worker closes the others'");
    close(s.fds[SOCKETS_LISTEN][2]);
}

int
main(void)
{
    test_text();
    test_refused();
    test_open();
    return tap_done();
}

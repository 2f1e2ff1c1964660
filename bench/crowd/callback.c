/*
 * What coordinators ask of the crowd: GET /.well-known/offload-node.
 */
#include "bench/crowd/crowd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "offload/jws.h"

#define HEAD_MAX 4096 /* of a request */
#define CALLBACKS_MAX 1024

/* Call-backs: the Host says which node is meant. */

struct callback {
    uv_tcp_t tcp;
    bool answered; /* the coordinator may count it as over */
    size_t len;
    char head[HEAD_MAX + 1];
};

static void
on_callback_closed(uv_handle_t *handle)
{
    struct callback *c = handle->data;

    crowd.callbacks_open--;
    crowd.callbacks_waiting -= !c->answered;
    free(c);
}

static void
callback_close(struct callback *c)
{
    if (!uv_is_closing((uv_handle_t *)&c->tcp))
        uv_close((uv_handle_t *)&c->tcp, on_callback_closed);
}

static struct node *
callback_node(const char *head)
{
    const char *host = header_find(head, "\r\nHost: ");
    unsigned a, b, c, d, number;

    if (host == NULL || sscanf(host, "%u.%u.%u.%u", &a, &b, &c, &d) != 4)
        return NULL;
    number = ((b - 64) << 16 | c << 8 | d) / 256;
    return b >= 64 && number < crowd.o.nodes ? &crowd.nodes[number] : NULL;
}

static bool
callback_value(const char *head, const char *name, char *ret, size_t cap)
{
    const char *at = strstr(head, name);
    size_t len;

    if (at == NULL)
        return false;
    at += strlen(name);
    len = strcspn(at, "& \r\n");
    if (len >= cap)
        return false;
    memcpy(ret, at, len);
    ret[len] = '\0';
    return true;
}

static char *
callback_answer(const char *head, size_t *ret_len)
{
    struct node *node = callback_node(head);
    int64_t now = time(NULL);
    char nonce[64], aud[64], *token = NULL, *text = NULL;
    json_t *json;
    size_t len;
    int printed = -1;

    if (node == NULL || !callback_value(head, "nonce=", nonce, sizeof(nonce)) ||
        !callback_value(head, "aud=", aud, sizeof(aud)))
        return NULL;
    json = json_pack("{s:s, s:s, s:I, s:I, s:s, s:s}", "iss",
                     ol_key_id(node->key), "aud", aud, "iat", (json_int_t)now,
                     "exp", (json_int_t)(now + CROWD_LIFE_S), "nonce", nonce,
                     "url", node->url);
    if (ol_jws_sign(node->key, OL_TYP_CALLBACK, json, &token, &len) == 0)
        printed = asprintf(&text,
                           "HTTP/1.1 200 OK\r\nContent-Type: application/jwt"
                           "\r\nConnection: close\r\nContent-Length: %zu"
                           "\r\n\r\n%s",
                           len, token);
    free(token);
    json_decref(json);
    crowd.callbacks++;
    *ret_len = printed < 0 ? 0 : (size_t)printed;
    return printed < 0 ? NULL : text;
}

static void
on_callback_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct callback *c = handle->data;

    (void)size;
    *buf = uv_buf_init(c->head + c->len, (unsigned)(HEAD_MAX - c->len));
}

static void
on_callback_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct callback *c = stream->data;
    char *text;
    size_t len;

    (void)buf;
    if (got < 0) {
        callback_close(c);
        return;
    }
    c->len += (size_t)got;
    c->head[c->len] = '\0';
    if (strstr(c->head, "\r\n\r\n") == NULL)
        return; /* a full buffer ends as an error */
    c->len = 0;
    text = callback_answer(c->head, &len);
    if (text != NULL) {
        crowd.callbacks_waiting -= !c->answered;
        c->answered = true;
        text_write(stream, text, len);
    } else {
        callback_close(c);
    }
}

static void
on_callback(uv_stream_t *listener, int status)
{
    struct callback *c;

    if (status != 0 || crowd.callbacks_open >= CALLBACKS_MAX ||
        (c = calloc(1, sizeof(*c))) == NULL)
        return;
    uv_tcp_init(crowd.loop, &c->tcp);
    c->tcp.data = c;
    crowd.callbacks_open++;
    if (++crowd.callbacks_waiting > crowd.callbacks_most)
        crowd.callbacks_most = crowd.callbacks_waiting;
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0)
        callback_close(c);
    else
        uv_read_start((uv_stream_t *)&c->tcp, on_callback_alloc,
                      on_callback_read);
}

/* Every address of the crowd, but nobody outside this machine. */
int
callbacks_listen(void)
{
    const char device[] = "lo";
    const struct sockaddr_in any = {.sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)crowd.o.port)};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, sizeof(device)) !=
            0 ||
        bind(fd, (const struct sockaddr *)&any, sizeof(any)) != 0)
        return -errno;
    uv_tcp_init(crowd.loop, &crowd.listener);
    uv_tcp_open(&crowd.listener, fd);
    return uv_listen((uv_stream_t *)&crowd.listener, 1024, on_callback);
}

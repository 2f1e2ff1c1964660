/*
 * The coordinators that this node was told to use (links.h).
 *
 * Owns: the links and, for each, what is to be done next: key, registration,
 * heartbeat.  Must not know what the messages say.
 */
#include "node/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "offload/jws.h"

#define REGISTER_MS 600000

static void on_timer(uv_timer_t *timer);

uint64_t
link_now_ms(const struct link *link)
{
    return uv_now(link->links->node->loop);
}

void
link_again_in(struct link *link, uint64_t ms)
{
    if (!link->links->stopped)
        uv_timer_start(&link->timer, on_timer, ms, 0);
}

static bool
has_news(const struct link *link)
{
    struct contents *contents = link->links->node->contents;

    if (link->dropped.count > 0 ||
        (link->links->draining && !link->drain_heard) ||
        wrong_pending(&link->links->node->wrong, link->number))
        return true;
    for (uint32_t i = 0; i < contents_count(contents); i++)
        if ((contents_at(contents, i)->dirty & 1u << link->number) != 0)
            return true;
    return false;
}

static unsigned
under_way(const struct link *link)
{
    unsigned n = 0;

    for (size_t i = 0; i < BEATS; i++)
        n += link->calls[i].fetch != NULL;
    return n;
}

/* The next step of a link, whatever it is. */
static void
on_timer(uv_timer_t *timer)
{
    struct link *link = timer->data;
    uint64_t past = link_now_ms(link) - link->begun_ms;

    if (link->fetch != NULL)
        return; /* its call-back goes on */
    if (link->keys.count == 0) {
        link_get_key(link);
    } else if (!link->registered ||
               link_now_ms(link) - link->registered_ms >= REGISTER_MS) {
        link_register(link);
    } else if (under_way(link) == 0) {
        link_beat(link);
    } else if (under_way(link) < BEATS && has_news(link)) {
        if (past < SPACE_MS)
            link_again_in(link, SPACE_MS - past);
        else
            link_beat(link);
    }
}

/* All of them */

void
links_kick(struct links *links)
{
    for (size_t i = 0; i < links->count; i++) {
        struct link *link = &links->list[i];

        /* A link that waits for its back-off to pass goes on waiting. */
        if (link->registered && link->failures == 0 && under_way(link) == 1 &&
            !uv_is_active((uv_handle_t *)&link->timer))
            link_again_in(link, SPACE_MS);
    }
}

void
links_drain(struct links *links)
{
    links->draining = true;
    links_kick(links);
}

void
links_dropped(struct links *links, const struct content *content)
{
    for (size_t i = 0; i < links->count; i++)
        if ((content->told & 1u << i) != 0)
            dropped_add(&links->list[i].dropped, content->root);
    links_kick(links);
}

size_t
links_urls(const struct links *links, uint16_t bits,
           const char *ret[ASSIGNMENT_COORDINATORS])
{
    size_t n = 0;

    for (size_t i = 0; i < links->count; i++)
        if ((bits & 1u << i) != 0)
            ret[n++] = links->list[i].url;
    return n;
}

uint16_t
links_bits(void *arg, const struct assignment *a)
{
    const struct links *links = arg;
    uint16_t bits = 0;

    for (size_t i = 0; i < links->count; i++)
        for (size_t j = 0; j < a->coordinator_count; j++)
            if (strcmp(links->list[i].url, a->coordinators[j]) == 0)
                bits |= (uint16_t)(1u << i);
    return bits;
}

char *
links_dump(const struct links *links, uint16_t bits)
{
    const char *urls[ASSIGNMENT_COORDINATORS];
    size_t count = links_urls(links, bits, urls), len = 1;
    char *text, *end;

    for (size_t i = 0; i < count; i++)
        len += strlen(urls[i]) + 1;
    end = text = malloc(len);
    if (text == NULL)
        return NULL;
    *end = '\0';
    for (size_t i = 0; i < count; i++) {
        end = stpcpy(end, urls[i]);
        end = stpcpy(end, "\n");
    }
    return text;
}

uint16_t
links_parse(void *arg, const char *text)
{
    const struct links *links = arg;
    uint16_t bits = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        for (size_t i = 0; i < links->count; i++)
            if (strlen(links->list[i].url) == len &&
                memcmp(links->list[i].url, text, len) == 0)
                bits |= (uint16_t)(1u << i);
        text += len + (text[len] == '\n');
    }
    return bits;
}

char *
links_callback(const struct links *links, const char *nonce, const char *aud,
               size_t *ret_len)
{
    const struct node *node = links->node;

    for (size_t i = 0; i < links->count; i++) {
        const struct link *link = &links->list[i];
        json_t *message;
        char *token = NULL;

        if (link_id(link) == NULL || strcmp(link_id(link), aud) != 0)
            continue;
        message = link_envelope(link);
        if (message != NULL &&
            json_object_set_new(message, "nonce", json_string(nonce)) == 0 &&
            json_object_set_new(message, "url",
                                json_string(node->options.url.text)) == 0)
            ol_jws_sign(node->key, OL_TYP_CALLBACK, message, &token, ret_len);
        json_decref(message);
        return token;
    }
    return NULL;
}

static int
link_init(struct link *link, struct links *links, size_t i)
{
    const struct options *o = &links->node->options;
    const char *x = o->coordinators[i].x;
    int rc = 0;

    link->links = links;
    link->number = (unsigned)i;
    link->url = o->coordinators[i].url.text;
    link->wait_ms = HEARTBEAT_MS;
    for (size_t j = 0; j < BEATS; j++)
        link->calls[j].link = link;
    if (x[0] != '\0') {
        rc = ol_key_from_x(x, strlen(x), &link->keys.keys[0], NULL);
        link->keys.count = rc == 0;
        link->pinned = true;
    }
    uv_timer_init(links->node->loop, &link->timer);
    link->timer.data = link;
    return rc;
}

int
links_create(struct node *node, struct links **ret)
{
    struct links *links = calloc(1, sizeof(*links));
    int rc = 0;

    if (links == NULL)
        return -ENOMEM;
    links->node = node;
    links->count = node->options.coordinator_count;
    for (size_t i = 0; i < links->count; i++)
        if (link_init(&links->list[i], links, i) != 0)
            rc = -ENOMEM;
    *ret = links;
    return rc;
}

void
links_start(struct links *links)
{
    for (size_t i = 0; i < links->count; i++)
        link_again_in(&links->list[i], 0);
}

void
links_stop(struct links *links)
{
    links->stopped = true;
    for (size_t i = 0; i < links->count; i++) {
        struct link *link = &links->list[i];

        if (link->fetch != NULL)
            fetch_cancel(link->fetch);
        for (size_t j = 0; j < BEATS; j++)
            if (link->calls[j].fetch != NULL)
                fetch_cancel(link->calls[j].fetch);
        uv_close((uv_handle_t *)&link->timer, NULL);
    }
}

void
links_free(struct links *links)
{
    if (links == NULL)
        return;
    for (size_t i = 0; i < links->count; i++)
        ol_keyset_clear(&links->list[i].keys);
    free(links);
}

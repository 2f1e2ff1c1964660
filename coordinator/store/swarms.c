/*
 * Calls of swarms.h: the commands that write peers, composed here since there
 * is one for each announce, and the functions that read.
 *
 * Must not know what peers are answered.
 */
#include "coordinator/store/swarms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/store/link.h"
#include "coordinator/store/soft.h"

#define COMMAND_MAX 128 /* the longest is 107 */

static const struct {
    char name[3];
    unsigned bytes;
} kinds[] = {{"s4", 6}, {"l4", 6}, {"s6", 18}, {"l6", 18}};

/* Writes. */

struct command {
    char text[COMMAND_MAX];
    size_t len;
};

static void
command_add(struct command *c, const void *bytes, size_t len)
{
    char *to = c->text + c->len;
    size_t head = 0;

    to[head++] = '$';
    if (len >= 10)
        to[head++] = (char)('0' + len / 10);
    to[head++] = (char)('0' + len % 10);
    to[head++] = '\r';
    to[head++] = '\n';
    memcpy(to + head, bytes, len);
    memcpy(to + head + len, "\r\n", 2);
    c->len += head + len + 2;
}

/* count: of all that will be added, the key included. */
static void
command_begin(struct command *c, const char *name, unsigned count)
{
    c->text[0] = '*';
    c->text[1] = (char)('0' + count);
    c->text[2] = '\r';
    c->text[3] = '\n';
    c->len = 4;
    command_add(c, name, strlen(name));
}

static void
command_key(struct command *c, const char *hex, const char *kind)
{
    char key[] = "t:{0123456789012345678901234567890123456789}:s4";

    memcpy(key + 3, hex, 40);
    memcpy(key + 45, kind, 2);
    command_add(c, key, sizeof(key) - 1);
}

static void
command_number(struct command *c, uint32_t n)
{
    char text[10];
    size_t at = sizeof(text);

    do {
        text[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    command_add(c, text + at, sizeof(text) - at);
}

static int
command_send(struct store *store, const struct command *c)
{
    return soft_write(store, c->text, c->len);
}

bool
store_swarm_has_room(const struct store *store)
{
    return soft_has_room(store);
}

unsigned
store_swarm_breaks(const struct store *store)
{
    return soft_opens(store);
}

struct probe {
    store_swarm_probe_fn *done;
    void *arg;
};

static void
on_probed(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct probe *probe = arg;

    (void)store;
    (void)reply;
    probe->done(probe->arg, rc);
    free(probe);
}

int
store_swarm_probe(struct store *store, store_swarm_probe_fn *done, void *arg)
{
    struct probe *probe = malloc(sizeof(*probe));
    int rc;

    if (probe == NULL)
        return -EAGAIN;
    probe->done = done;
    probe->arg = arg;
    rc = link_send(store, on_probed, probe, "SET t:probe 1 EX 60");
    if (rc != 0)
        free(probe);
    return rc;
}

int
store_swarm_put(struct store *store, const char *hex, unsigned kind,
                const uint8_t *member, uint32_t expires_s)
{
    struct command head = {.len = 0}, item = {.len = 0};

    command_add(&head, "ZADD", 4);
    command_key(&head, hex, kinds[kind].name);
    command_number(&item, expires_s);
    command_add(&item, member, kinds[kind].bytes);
    return soft_write_item(store, head.text, head.len, item.text, item.len);
}

int
store_swarm_remove(struct store *store, const char *hex, unsigned kind,
                   const uint8_t *member)
{
    struct command c;

    command_begin(&c, "ZREM", 3);
    command_key(&c, hex, kinds[kind].name);
    command_add(&c, member, kinds[kind].bytes);
    return command_send(store, &c);
}

int
store_swarm_renew(struct store *store, const char *hex, unsigned kind,
                  uint32_t life_s)
{
    struct command c;

    command_begin(&c, "EXPIRE", 3);
    command_key(&c, hex, kinds[kind].name);
    command_number(&c, life_s);
    return command_send(store, &c);
}

int
store_swarm_completed(struct store *store, const char *hex, unsigned seeds,
                      const uint8_t *member, uint32_t expires_s,
                      uint32_t life_s)
{
    char *text;
    int len, rc;

    len = redisFormatCommand(
        &text,
        "FCALL ol_swarm_completed 3 t:{%s}:m t:{%s}:%s t:{%s}:%s %b %u %u", hex,
        hex, kinds[seeds ^ 1].name, hex, kinds[seeds].name, member,
        (size_t)kinds[seeds].bytes, expires_s, life_s);
    if (len < 0)
        return -EAGAIN;
    rc = soft_write(store, text, (size_t)len);
    redisFreeCommand(text);
    return rc;
}

/* Reading. */

struct look {
    store_swarm_fn *done;
    void *arg;
};

static void
peers_read(const redisReply *reply, struct store_swarm_peers *ret)
{
    size_t count = link_count(reply);

    ret->count = link_uint(link_item(reply, 0));
    ret->whole = link_uint(link_item(reply, 1)) == 1;
    ret->listed = count < 2 ? 0 : (count - 2) / 2;
    ret->list = reply;
}

bool
store_swarm_peer(const struct store_swarm_peers *peers, size_t i, size_t bytes,
                 const uint8_t **ret_member, uint32_t *ret_expires_s)
{
    const redisReply *member = link_item(peers->list, 2 + 2 * i);
    double expires_s = link_double(link_item(peers->list, 3 + 2 * i));

    if (member == NULL || member->type != REDIS_REPLY_STRING ||
        member->len != bytes || !(expires_s > 0 && expires_s < UINT32_MAX))
        return false;
    *ret_member = (const uint8_t *)member->str;
    *ret_expires_s = (uint32_t)expires_s;
    return true;
}

static void
on_look(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct look *look = arg;
    struct store_swarm swarm = {.downloaded = 0};

    (void)store;
    if (rc == 0 && link_uint(link_item(reply, 0)) != 1)
        rc = -ENOENT;
    swarm.downloaded = link_uint(link_item(reply, 1));
    for (size_t i = 0; i < 4; i++)
        peers_read(link_item(reply, 2 + i), &swarm.peers[i]);
    look->done(look->arg, rc, &swarm);
    free(look);
}

#define SWARM_KEYS "t:{%s}:m t:{%s}:o t:{%s}:s4 t:{%s}:l4 t:{%s}:s6 t:{%s}:l6"

int
store_swarm_look(struct store *store, const char *hex, uint32_t now_s,
                 uint32_t random, uint32_t life_s, store_swarm_fn *done,
                 void *arg)
{
    struct look *look = malloc(sizeof(*look));
    int rc;

    if (look == NULL)
        return -EAGAIN;
    look->done = done;
    look->arg = arg;
    rc = link_send(store, on_look, look,
                   "FCALL ol_swarm_look 6 " SWARM_KEYS " %u %u %u", hex, hex,
                   hex, hex, hex, hex, now_s, random, life_s);
    if (rc != 0)
        free(look);
    return rc;
}

struct counting {
    store_swarm_counts_fn *done;
    void *arg;
};

static void
on_counts(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct counting *counting = arg;

    (void)store;
    if (rc == 0 && link_count(reply) != 3)
        rc = -ENOENT;
    counting->done(counting->arg, rc, link_uint(link_item(reply, 0)),
                   link_uint(link_item(reply, 1)),
                   link_uint(link_item(reply, 2)));
    free(counting);
}

int
store_swarm_counts(struct store *store, const char *hex, uint32_t now_s,
                   store_swarm_counts_fn *done, void *arg)
{
    struct counting *counting = malloc(sizeof(*counting));
    int rc;

    if (counting == NULL)
        return -EAGAIN;
    counting->done = done;
    counting->arg = arg;
    rc = link_send(store, on_counts, counting,
                   "FCALL ol_swarm_count 6 " SWARM_KEYS " %u", hex, hex, hex,
                   hex, hex, hex, now_s);
    if (rc != 0)
        free(counting);
    return rc;
}

/* Registration. */

void
store_swarm_register(struct store *store, const char *hex,
                     const struct store_torrent *torrent, int64_t now_s)
{
    link_send(store, NULL, NULL,
              "FCALL ol_swarm_register 6 " SWARM_KEYS
              " %s %s %b %llu %lld %lld %d",
              hex, hex, hex, hex, hex, hex, torrent->site, torrent->root,
              torrent->name, strlen(torrent->name),
              (unsigned long long)torrent->size, (long long)now_s,
              (long long)now_s + STORE_CONTENT_LAPSE_S, STORE_CONTENT_LIFE_S);
}

void
store_swarm_withdraw(struct store *store, const char *hex, const char *site,
                     int64_t now_s)
{
    link_send(store, NULL, NULL,
              "FCALL ol_swarm_withdraw 2 t:{%s}:m t:{%s}:o %s %lld", hex, hex,
              site, (long long)now_s);
}

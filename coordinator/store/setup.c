/*
 * What is done on a new connection to Redis before anything else: log in,
 * load the library of functions, learn this Redis's id and salt.
 *
 * Must not know how the connection is made.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "coordinator/store/library.h"
#include "coordinator/store/link_parts.h"
#include "coordinator/store/soft.h"
#include "offload/encoding.h"

static struct log_kind link_ups = {.name = "redis connected"};

/* Step by step; a failure closes, and the retry starts over. */

static bool
setup_failed(struct store *store, const redisReply *reply)
{
    char text[160];

    if (reply == NULL)
        return true;
    if (reply->type != REDIS_REPLY_ERROR)
        return false;
    snprintf(text, sizeof(text), "%.150s", reply->str);
    if (strstr(text, "unknown command") != NULL)
        strcpy(text, "Redis 7 or newer is needed");
    link_lost(store, text);
    return true;
}

static void
on_setup_last(struct store *store, int rc, const redisReply *reply, void *arg)
{
    bool fresh = store->fresh;

    (void)rc;
    (void)arg;
    if (setup_failed(store, reply))
        return;
    snprintf(store->last_change, sizeof(store->last_change), "%s",
             link_string(link_item(link_item(reply, 0), 0)));
    if (store->last_change[0] == '\0')
        strcpy(store->last_change, "0-0");
    store->fresh = false;
    store->up = true;
    soft_open(store);
    store->polling = false;
    store->retry_ms = LINK_RETRY_MIN_MS;
    log_limited(&link_ups, LOG_INFO_, "redis: connected, store %s", store->id);
    store->events.on_up(store->events.arg, fresh);
}

/* What an operator should know: ledger and sites are kept in this Redis. */

static void
on_persistence(struct store *store, int rc, const redisReply *reply, void *arg)
{
    static struct log_kind kind = {.name = "redis without AOF"};

    (void)store;
    (void)rc;
    (void)arg;
    if (strstr(link_string(reply), "aof_enabled:0") != NULL)
        log_limited(&kind, LOG_WARN_,
                    "redis: its append-only file is off, so a crash of it may "
                    "lose credit of nodes: set appendonly yes");
}

static void
on_memory(struct store *store, int rc, const redisReply *reply, void *arg)
{
    static struct log_kind kind = {.name = "redis evicts"};

    (void)store;
    (void)rc;
    (void)arg;
    /* What lasts has an end, too, so volatile-... may take it. */
    if (strstr(link_string(reply), "maxmemory_policy:") != NULL &&
        strstr(link_string(reply), "maxmemory_policy:noeviction") == NULL)
        log_limited(&kind, LOG_WARN_,
                    "redis: its maxmemory-policy may throw away sites and "
                    "credit of nodes: set it to noeviction");
}

/* A full Redis may have all that is needed. */
static void
on_setup_name(struct store *store, int rc, const redisReply *reply, void *arg)
{
    (void)rc;
    (void)arg;
    if (reply == NULL || reply->type != REDIS_REPLY_ERROR ||
        strncmp(reply->str, "OOM ", 4) != 0)
        setup_failed(store, reply);
}

static void
on_setup_id(struct store *store, int rc, const redisReply *reply, void *arg)
{
    const char *id = link_string(reply);

    (void)rc;
    (void)arg;
    if (setup_failed(store, reply))
        return;
    if (*id == '\0') {
        link_lost(store, "it is full, and new: raise its maxmemory");
    } else if (strcmp(store->id, id) != 0) {
        snprintf(store->id, sizeof(store->id), "%s", id);
        store->fresh = true;
    }
}

static void
on_setup_salt(struct store *store, int rc, const redisReply *reply, void *arg)
{
    const char *text = link_string(reply);

    (void)rc;
    (void)arg;
    if (setup_failed(store, reply))
        return;
    if (ol_base64url_decode_exact(store->salt, sizeof(store->salt), text,
                                  strlen(text)) != 0)
        link_lost(store, "the key \"salt\" is not 16 bytes in base64url");
    store->salted = true;
}

static void
on_setup_any(struct store *store, int rc, const redisReply *reply, void *arg)
{
    (void)rc;
    (void)arg;
    setup_failed(store, reply);
}

/* A salt is kept when Redis loses its own: placement stays where it is. */
static void
setup_names(struct store *store)
{
    char id[STORE_ID_CHARS + 1], salt[STORE_ID_CHARS + 1];
    uint8_t random[16];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return;
    ol_base64url_encode(id, random, sizeof(random));
    if (!store->salted &&
        getrandom(store->salt, sizeof(store->salt), 0) != sizeof(store->salt))
        return;
    ol_base64url_encode(salt, store->salt, sizeof(store->salt));
    link_send_setup(store, on_persistence, "INFO persistence");
    link_send_setup(store, on_memory, "INFO memory");
    link_send_setup(store, on_setup_name, "SET store %s NX", id);
    link_send_setup(store, on_setup_id, "GET store");
    link_send_setup(store, on_setup_name, "SET salt %s NX", salt);
    link_send_setup(store, on_setup_salt, "GET salt");
    link_send_setup(store, on_setup_last, "XREVRANGE changes + - COUNT 1");
}

static void
on_setup_loaded(struct store *store, int rc, const redisReply *reply, void *arg)
{
    (void)rc;
    (void)arg;
    if (!setup_failed(store, reply))
        setup_names(store);
}

static void
on_setup_version(struct store *store, int rc, const redisReply *reply,
                 void *arg)
{
    const char *text;
    size_t len;

    (void)rc;
    (void)arg;
    if (reply == NULL)
        return;
    if (reply->type == REDIS_REPLY_INTEGER &&
        reply->integer >= library_version()) {
        setup_names(store);
        return;
    }
    text = library_text(&len);
    link_send_setup(store, on_setup_loaded, "FUNCTION LOAD REPLACE %b", text,
                    len);
}

void
setup_start(struct store *store)
{
    if (store->url.user != NULL)
        link_send_setup(store, on_setup_any, "AUTH %s %s", store->url.user,
                        store->url.password);
    else if (store->url.password != NULL)
        link_send_setup(store, on_setup_any, "AUTH %s", store->url.password);
    if (store->url.db != 0)
        link_send_setup(store, on_setup_any, "SELECT %u", store->url.db);
    link_send_setup(store, on_setup_version, "FCALL ol_version 0");
}

/*
 * Replies of a Redis that says anything: the first byte chooses what is asked,
 * the rest is read as hiredis reads it, and each command gets the next reply.
 *
 * The connection is not there: its calls are wrapped by the linker
 * (mk/fuzz.mk), its readers of replies and all decoders are the real ones.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "coordinator/store/history.h"
#include "coordinator/store/ledger.h"
#include "coordinator/store/link_parts.h"
#include "coordinator/store/soft.h"
#include "coordinator/store/standing.h"
#include "coordinator/store/swarms.h"
#include "target.h"

#define COMMANDS 16 /* each is one more round trip */
#define ID "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define HEX40 "0123456789012345678901234567890123456789"
#define HEX64 HEX40 "012345678901234567890123"
#define NOW 1790000000

static struct {
    link_reply_fn *fn;
    void *arg;
} queue[COMMANDS];
static unsigned asked, answered, open_calls;
static size_t sum; /* of what the decoders hand on: all of it is read */
static struct store store;

static int
ask(link_reply_fn *fn, void *arg)
{
    if (asked == COMMANDS)
        return -EAGAIN;
    queue[asked].fn = fn;
    queue[asked++].arg = arg;
    return 0;
}

/* The connection, as the linker puts it in the place of the real one. */

int __wrap_link_send(struct store *s, link_reply_fn *fn, void *arg,
                     const char *format, ...);
int __wrap_link_send_argv(struct store *s, link_reply_fn *fn, void *arg,
                          int argc, const char **argv);
void __wrap_link_send_setup(struct store *s, link_reply_fn *fn,
                            const char *format, ...);
void __wrap_link_lost(struct store *s, const char *why);
void __wrap_soft_open(struct store *s);

int
__wrap_link_send(struct store *s, link_reply_fn *fn, void *arg,
                 const char *format, ...)
{
    va_list args;
    char *text;
    int len;

    (void)s;
    va_start(args, format);
    len = redisvFormatCommand(&text, format, args);
    va_end(args);
    MUST(len > 0);
    redisFreeCommand(text);
    return ask(fn, arg);
}

int
__wrap_link_send_argv(struct store *s, link_reply_fn *fn, void *arg, int argc,
                      const char **argv)
{
    (void)s;
    for (int i = 0; i < argc; i++)
        sum += strlen(argv[i]);
    return ask(fn, arg);
}

void
__wrap_link_send_setup(struct store *s, link_reply_fn *fn, const char *format,
                       ...)
{
    (void)s;
    (void)format;
    (void)ask(fn, NULL);
}

void
__wrap_link_lost(struct store *s, const char *why)
{
    s->up = false;
    sum += strlen(why);
}

void
__wrap_soft_open(struct store *s)
{
    (void)s;
}

/* Call-backs read all that they are given. */

static void
text(const char *t)
{
    MUST(t != NULL);
    sum += strlen(t);
}

static void
closed(void *arg, int rc)
{
    (void)arg;
    MUST(rc <= 0);
    MUST(open_calls > 0);
    open_calls--;
}

static void
on_value(void *arg, int rc, uint64_t value)
{
    closed(arg, rc);
    sum += value;
}

static void
on_check(void *arg, int rc, uint64_t value, bool invited, const char *reason)
{
    closed(arg, rc);
    sum += value + invited;
    if (rc == 0)
        text(reason);
}

static void
on_node(void *arg, int rc, const struct store_node *n)
{
    closed(arg, rc);
    if (rc != 0)
        return;
    text(n->id);
    text(n->key);
    text(n->url);
    text(n->zone);
    text(n->cidrs);
    text(n->sites);
    text(n->invite);
    text(n->unlisted);
    text(n->standing.ban);
}

static void
on_page(void *arg, int rc, const struct store_entry *list, size_t count)
{
    closed(arg, rc);
    MUST(count <= STORE_PAGE);
    for (size_t i = 0; i < count; i++)
        text(list[i].id);
}

static void
on_texts(void *arg, int rc, const char *const *texts, size_t count)
{
    closed(arg, rc);
    MUST(count <= STORE_RELEASE_PAGE);
    for (size_t i = 0; i < count; i++)
        text(texts[i]);
}

static void
on_holders(void *arg, int rc, uint64_t size, const struct store_holder *list,
           size_t count)
{
    closed(arg, rc);
    MUST(count <= STORE_HOLDERS);
    sum += size;
    for (size_t i = 0; i < count; i++)
        text(list[i].id);
}

static void
on_site(void *arg, int rc, const struct store_site *site)
{
    closed(arg, rc);
    if (rc == 0) {
        text(site->iss);
        text(site->epoch);
    }
}

static void
on_swarm(void *arg, int rc, const struct store_swarm *swarm)
{
    closed(arg, rc);
    for (unsigned kind = 0; rc == 0 && kind < 4; kind++) {
        const struct store_swarm_peers *peers = &swarm->peers[kind];
        size_t bytes = kind < 2 ? 6 : 18;
        const uint8_t *member;
        uint32_t expires;

        for (size_t i = 0; i < peers->listed; i++)
            if (store_swarm_peer(peers, i, bytes, &member, &expires))
                for (size_t k = 0; k < bytes; k++)
                    sum += member[k];
    }
}

static void
on_counts(void *arg, int rc, uint64_t seeds, uint64_t leechers,
          uint64_t downloaded)
{
    closed(arg, rc);
    sum += seeds + leechers + downloaded;
}

static void
on_account(void *arg, int rc, const struct store_ledger_sums *added)
{
    closed(arg, rc);
    if (rc == 0)
        sum += added->credited;
}

static void
on_ledger(void *arg, int rc, const struct store_ledger_sums *sums,
          const struct store_ledger_line *lines, size_t count)
{
    closed(arg, rc);
    if (rc == 0)
        sum += sums->credited;
    MUST(count <= STORE_LEDGER_LINES);
    for (size_t i = 0; i < count; i++)
        text(lines[i].iss);
}

static void
on_bans(void *arg, int rc, const struct store_ban *list, size_t count)
{
    closed(arg, rc);
    MUST(count <= STORE_BANS_PAGE);
    for (size_t i = 0; i < count; i++) {
        text(list[i].id);
        text(list[i].reason);
        text(list[i].by);
        text(list[i].details);
    }
}

static void
on_text(void *arg, int rc, const char *t)
{
    closed(arg, rc);
    if (rc == 0)
        text(t);
}

static void
on_history(void *arg, int rc, const struct store_history *history)
{
    closed(arg, rc);
    if (rc == 0)
        sum += history->days[HISTORY_DAYS - 1].claimed;
}

static void
on_hot(void *arg, int rc, const struct hot_content *list, size_t count,
       uint64_t total)
{
    closed(arg, rc);
    MUST(count <= HOT_PAGE);
    sum += total;
    for (size_t i = 0; i < count; i++)
        text(list[i].root);
}

static void
on_state(void *arg, int rc, const struct store_content_state *state)
{
    closed(arg, rc);
    if (rc == 0) {
        text(state->iss);
        text(state->sub);
    }
}

static void
on_overview(void *arg, int rc, const struct store_overview *overview)
{
    closed(arg, rc);
    if (rc == 0)
        text(overview->version);
}

static void
on_up(void *arg, bool fresh)
{
    (void)arg;
    MUST(strlen(store.id) <= STORE_ID_CHARS);
    sum += fresh;
}

static void
on_change(void *arg, enum store_change what, const char *id)
{
    (void)arg;
    sum += (size_t)what;
    text(id);
}

/* What is asked; 0 if it calls back. */

static int
ask_nodes(unsigned which)
{
    static const struct store_node node = {.id = ID,
                                           .key = "",
                                           .url = "http://n",
                                           .zone = "",
                                           .cidrs = "[]",
                                           .sites = "",
                                           .invite = ""};

    switch (which) {
    case 0:
        return store_node_check(&store, ID, "http://n", 1, on_check, NULL);
    case 1:
        return store_node_register(&store, &node, NOW, on_value, NULL);
    case 2:
        return store_node_beat(&store, &node, on_value, NULL);
    case 3:
        return store_node_load(&store, ID, on_node, NULL);
    case 4:
        return store_nodes(&store, NOW, 0, on_page, NULL);
    case 5:
        return store_assigned(&store, ID, NOW, 1, on_texts, NULL);
    case 6:
        return store_released(&store, ID, on_texts, NULL);
    default:
        return store_bitmap(&store, HEX64, ID, on_text, NULL);
    }
}

static int
ask_sites(unsigned which)
{
    switch (which) {
    case 0:
        return store_sites(&store, 0, on_page, NULL);
    case 1:
        return store_site_put(&store, HEX64, "http://s", NOW, on_value, NULL);
    case 2:
        return store_site_get(&store, HEX64, on_site, NULL);
    case 3:
        return store_site_forget(&store, HEX64, NOW, on_value, NULL);
    case 4:
        return store_site_seq(&store, HEX64, 1, on_value, NULL);
    case 5:
        return store_lease(&store, HEX64, 1000, on_value, NULL);
    case 6:
        return store_holders(&store, HEX64, NOW, on_holders, NULL);
    default:
        return store_content_state(&store, HEX64, NOW, on_state, NULL);
    }
}

static int
ask_others(unsigned which)
{
    static const struct store_account account = {
        .node = ID, .site = HEX64, .iss = "http://s", .name = "1"};

    switch (which) {
    case 0:
        return store_swarm_look(&store, HEX40, NOW, 1, 60, on_swarm, NULL);
    case 1:
        return store_swarm_counts(&store, HEX40, NOW, on_counts, NULL);
    case 2:
        return store_account_tell(&store, &account, NOW, on_account, NULL);
    case 3:
        return store_ledger(&store, ID, 20000, STORE_LEDGER_DAYS, 1, on_ledger,
                            NULL);
    case 4:
        return store_ledgers(&store, "", on_texts, NULL);
    case 5:
        return store_bans(&store, 0, on_bans, NULL);
    case 6:
        return store_audit_wrong(&store, ID, NOW, on_value, NULL);
    default:
        return store_history_read(&store, NOW, on_history, NULL);
    }
}

/* True if a call-back is due. */
static bool
ask_one(unsigned which)
{
    switch (which / 8) {
    case 0:
        return ask_nodes(which) == 0;
    case 1:
        return ask_sites(which - 8) == 0;
    case 2:
        return ask_others(which - 16) == 0;
    }
    switch (which) {
    case 24:
        return store_hot_read(&store, NOW, on_hot, NULL) == 0;
    case 25:
        return store_overview(&store, on_overview, NULL) == 0;
    case 26:
        store_hold(&store, HEX64, ID, "", NOW);
        store_drop(&store, HEX64, ID);
        changes_read(&store);
        return false;
    default:
        setup_start(&store);
        return false;
    }
}

/* As link.c does: an error is none of the decoders' business. */
static void
answer(const redisReply *reply)
{
    unsigned i = answered++;
    bool failed = reply == NULL || reply->type == REDIS_REPLY_ERROR;

    if (queue[i].fn != NULL)
        queue[i].fn(&store, failed ? -EIO : 0, failed ? NULL : reply,
                    queue[i].arg);
}

/*
 * hiredis 0.14 makes room for all items that an array's head announces; so far
 * its Redis is trusted.
 */
static bool
is_modest(const uint8_t *data, size_t len)
{
    unsigned digits = 0;

    for (size_t i = 0; i < len; i++) {
        if (data[i] == '*')
            digits = 1;
        else if (digits > 0 && data[i] >= '0' && data[i] <= '9')
            digits++;
        else
            digits = 0;
        if (digits > 6)
            return false;
    }
    return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    redisReader *reader;

    if (!is_modest(data, len))
        return 0;
    reader = redisReaderCreate();
    if (len > 0) {
        memset(&store, 0, sizeof(store));
        store.events = (struct store_events){on_up, on_change, NULL};
        store.up = true;
        asked = answered = 0;
        open_calls = 1;
        if (!ask_one(data[0] % 28))
            open_calls = 0;
        redisReaderFeed(reader, (const char *)data + 1, len - 1);
        while (answered < asked) {
            void *reply = NULL;

            if (redisReaderGetReply(reader, &reply) != REDIS_OK)
                reply = NULL;
            answer(reply);
            freeReplyObject(reply);
        }
        MUST(open_calls == 0);
    }
    redisReaderFree(reader);
    return 0;
}

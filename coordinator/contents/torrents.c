/*
 * The torrents of one content.
 *
 * Must not know swarms or peers.
 */
#include "coordinator/contents/torrents.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/app.h"
#include "coordinator/store/swarms.h"
#include "offload/encoding.h"

#define HEX_CHARS OL_HEX_LEN(OL_SHA1_BYTES)

static bool
torrents_has(const struct torrents *torrents, const uint8_t *infohash)
{
    for (size_t i = 0; i < torrents->count; i++)
        if (memcmp(torrents->list[i].infohash, infohash, OL_SHA1_BYTES) == 0)
            return true;
    return false;
}

/* Room for one more at the end. */
static bool
torrents_grow(struct torrents *torrents)
{
    struct torrent *list;

    if (torrents->count == TORRENTS_MAX) {
        free(torrents->list[0].name);
        torrents->count--;
        memmove(torrents->list, torrents->list + 1,
                torrents->count * sizeof(*list));
        return true;
    }
    list = realloc(torrents->list, (torrents->count + 1) * sizeof(*list));
    if (list == NULL)
        return false;
    torrents->list = list;
    return true;
}

bool
torrents_add(struct torrents *torrents, const struct sync_entry *entry)
{
    const char *slash = strrchr(entry->sub, '/');
    struct torrent *torrent;
    char *name;

    if (!entry->has_infohash || torrents_has(torrents, entry->infohash))
        return false;
    name = strdup(slash == NULL ? entry->sub : slash + 1);
    if (name == NULL || !torrents_grow(torrents)) {
        free(name);
        return false;
    }
    torrent = &torrents->list[torrents->count++];
    memcpy(torrent->infohash, entry->infohash, OL_SHA1_BYTES);
    torrent->name = name;
    return true;
}

void
torrents_put(const struct torrents *torrents, struct store *store,
             const char *site, const char *root, uint64_t size)
{
    struct store_torrent record = {.site = site, .root = root, .size = size};
    char hex[HEX_CHARS + 1];

    for (size_t i = 0; i < torrents->count; i++) {
        ol_hex_encode(hex, torrents->list[i].infohash, OL_SHA1_BYTES);
        record.name = torrents->list[i].name;
        store_swarm_register(store, hex, &record, app_now());
    }
}

void
torrents_gone(const struct torrents *torrents, struct store *store,
              const char *site)
{
    char hex[HEX_CHARS + 1];

    for (size_t i = 0; i < torrents->count; i++) {
        ol_hex_encode(hex, torrents->list[i].infohash, OL_SHA1_BYTES);
        store_swarm_withdraw(store, hex, site, app_now());
    }
}

void
torrents_clear(struct torrents *torrents)
{
    for (size_t i = 0; i < torrents->count; i++)
        free(torrents->list[i].name);
    free(torrents->list);
    torrents->list = NULL;
    torrents->count = 0;
}

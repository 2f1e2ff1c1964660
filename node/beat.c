/*
 * What a heartbeat says (beat.h).
 *
 * Owns: which holdings go into it.  Must not know how it is sent.
 */
#include "node/beat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "offload/encoding.h"

#define ROUND 60 /* heartbeats in which everything is told once */
#define ENTRY_BYTES 100

void
dropped_add(struct dropped *dropped, const uint8_t root[OL_HASH_BYTES])
{
    if (dropped->count == BEAT_DROPPED) {
        memmove(dropped->roots, dropped->roots[1],
                sizeof(dropped->roots) - OL_HASH_BYTES);
        dropped->count--;
    }
    memcpy(dropped->roots[dropped->count++], root, OL_HASH_BYTES);
}

static json_t *
holding_json(const struct content *content)
{
    char *bitmap;
    json_t *json;

    if (ol_bitmap_full(&content->have))
        return json_pack("{s:s}", "root", content->hex);
    bitmap = ol_bitmap_dump(&content->have);
    json = bitmap == NULL
               ? NULL
               : json_pack("{s:s, s:s, s:I}", "root", content->hex, "bitmap",
                           bitmap, "count", (json_int_t)content->have.count);
    free(bitmap);
    return json;
}

static size_t
holding_bytes(const struct content *content)
{
    return ENTRY_BYTES +
           (ol_bitmap_full(&content->have)
                ? 0
                : OL_BASE64URL_LEN(ol_bitmap_bytes(content->have.count)));
}

static int
add_holding(struct beat *beat, struct content *content, unsigned link,
            json_t *holdings)
{
    if (json_array_append_new(holdings, holding_json(content)) != 0)
        return -ENOMEM;
    memcpy(beat->roots[beat->count++], content->root, OL_HASH_BYTES);
    content->dirty &= (uint16_t) ~(1u << link);
    return 0;
}

/* Marks a sixtieth of what the link is told of. */
static void
mark_some(struct contents *contents, unsigned link, uint32_t *cursor)
{
    uint32_t count = contents_count(contents);
    uint32_t some = (count + ROUND - 1) / ROUND;

    for (uint32_t i = 0; i < some; i++) {
        struct content *content;

        if (*cursor >= count)
            *cursor = 0;
        content = contents_at(contents, (*cursor)++);
        content->dirty |= content->told & (uint16_t)(1u << link);
    }
}

static int
fill_holdings(struct beat *beat, struct contents *contents, unsigned link,
              json_t *holdings)
{
    uint32_t count = contents_count(contents);
    size_t bytes = beat->dropped.count * ENTRY_BYTES;

    for (uint32_t i = 0; i < count && beat->count < BEAT_HOLDINGS; i++) {
        struct content *content = contents_at(contents, i);

        if ((content->dirty & 1u << link) == 0)
            continue;
        bytes += holding_bytes(content);
        if (bytes > BEAT_BYTES && beat->count > 0)
            break;
        if (add_holding(beat, content, link, holdings) != 0)
            return -ENOMEM;
    }
    return 0;
}

static int
fill_dropped(const struct dropped *dropped, json_t *list)
{
    for (size_t i = 0; i < dropped->count; i++) {
        char hex[OL_ROOT_HEX + 1];

        ol_hex_encode(hex, dropped->roots[i], OL_HASH_BYTES);
        if (json_array_append_new(list, json_string(hex)) != 0)
            return -ENOMEM;
    }
    return 0;
}

int
beat_fill(struct beat *beat, struct contents *contents, unsigned link,
          uint32_t *cursor, struct dropped *dropped, json_t *message)
{
    json_t *holdings = json_array(), *gone = json_array();
    int rc = holdings == NULL || gone == NULL ? -ENOMEM : 0;

    beat->count = 0;
    beat->dropped = *dropped;
    dropped->count = 0;
    if (cursor != NULL)
        mark_some(contents, link, cursor);
    if (rc == 0)
        rc = fill_dropped(&beat->dropped, gone);
    if (rc == 0)
        rc = fill_holdings(beat, contents, link, holdings);
    if (rc == 0 && (json_object_set(message, "holdings", holdings) != 0 ||
                    json_object_set(message, "dropped", gone) != 0))
        rc = -ENOMEM;
    json_decref(holdings);
    json_decref(gone);
    if (rc != 0)
        beat_undo(beat, contents, link, dropped);
    return rc;
}

void
beat_undo(const struct beat *beat, struct contents *contents, unsigned link,
          struct dropped *dropped)
{
    for (size_t i = 0; i < beat->count; i++) {
        struct content *content = contents_find(contents, beat->roots[i]);

        if (content != NULL)
            content->dirty |= content->told & (uint16_t)(1u << link);
    }
    for (size_t i = 0; i < beat->dropped.count; i++)
        dropped_add(dropped, beat->dropped.roots[i]);
}

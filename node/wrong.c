/*
 * Nodes that sent wrong bytes (wrong.h).
 *
 * Owns: what is kept of them.  Must not know heartbeats, nor pulls.
 */
#include "node/wrong.h"

#include <errno.h>
#include <string.h>

#include "offload/encoding.h"

static struct wrong_entry *
entry_find(struct wrong *wrong, const uint8_t *id, const uint8_t *root)
{
    for (size_t i = 0; i < wrong->count; i++)
        if (memcmp(wrong->list[i].id, id, WRONG_ID_BYTES) == 0 &&
            memcmp(wrong->list[i].root, root, OL_HASH_BYTES) == 0)
            return &wrong->list[i];
    return NULL;
}

static void
entry_remove(struct wrong *wrong, struct wrong_entry *entry)
{
    size_t after = (size_t)(wrong->list + wrong->count - (entry + 1));

    memmove(entry, entry + 1, after * sizeof(*entry));
    wrong->count--;
}

bool
wrong_add(struct wrong *wrong, const uint8_t id[WRONG_ID_BYTES],
          const uint8_t root[OL_HASH_BYTES], uint64_t now_ms)
{
    struct wrong_entry *entry = entry_find(wrong, id, root);

    if (entry != NULL && now_ms - entry->at_ms < WRONG_AGAIN_MS)
        return false;
    if (entry == NULL && wrong->count == WRONG_KEPT)
        entry = &wrong->list[0];
    if (entry != NULL)
        entry_remove(wrong, entry);
    entry = &wrong->list[wrong->count++];
    memcpy(entry->id, id, WRONG_ID_BYTES);
    memcpy(entry->root, root, OL_HASH_BYTES);
    entry->at_ms = now_ms;
    entry->untold = UINT16_MAX;
    return true;
}

bool
wrong_pending(const struct wrong *wrong, unsigned link)
{
    for (size_t i = 0; i < wrong->count; i++)
        if ((wrong->list[i].untold & 1u << link) != 0)
            return true;
    return false;
}

static json_t *
entry_json(const struct wrong_entry *entry)
{
    char id[OL_BASE64URL_LEN(WRONG_ID_BYTES) + 1], root[OL_ROOT_HEX + 1];

    ol_base64url_encode(id, entry->id, WRONG_ID_BYTES);
    ol_hex_encode(root, entry->root, OL_HASH_BYTES);
    return json_pack("{s:s, s:s}", "id", id, "root", root);
}

int
wrong_fill(struct wrong *wrong, unsigned link, struct wrong_report *report,
           json_t *message)
{
    json_t *list = json_array();
    int rc = list == NULL ? -ENOMEM : 0;

    report->count = 0;
    for (size_t i = 0;
         rc == 0 && i < wrong->count && report->count < WRONG_ENTRIES; i++) {
        struct wrong_entry *entry = &wrong->list[i];

        if ((entry->untold & 1u << link) == 0)
            continue;
        rc = json_array_append_new(list, entry_json(entry)) == 0 ? 0 : -ENOMEM;
        entry->untold &= (uint16_t) ~(1u << link);
        memcpy(report->ids[report->count], entry->id, WRONG_ID_BYTES);
        memcpy(report->roots[report->count++], entry->root, OL_HASH_BYTES);
    }
    if (rc == 0 && report->count > 0 &&
        json_object_set(message, "wrong", list) != 0)
        rc = -ENOMEM;
    json_decref(list);
    if (rc != 0)
        wrong_undo(wrong, link, report);
    return rc;
}

void
wrong_undo(struct wrong *wrong, unsigned link,
           const struct wrong_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        struct wrong_entry *entry =
            entry_find(wrong, report->ids[i], report->roots[i]);

        if (entry != NULL)
            entry->untold |= (uint16_t)(1u << link);
    }
}

/*
 * What is kept of a file's version: an entry, or behind a first line that is
 * one, a table.  What is taken is what would be written.
 */
#include "fuzz.h"

#include "offload/state.h"

static void
table(const struct ol_state_entry *entry, const uint8_t *data, size_t len)
{
    struct ol_digest digest;
    struct ol_error err;
    uint64_t size;

    /* Sizes that tables of so many bytes may stand for, and one that cannot. */
    for (size = 1; size <= 4 * OL_PIECE_MIN; size += OL_PIECE_MIN) {
        uint8_t *copy = malloc(len);

        memcpy(copy, data, len);
        if (ol_state_table_parse(copy, len, size, entry, &digest, &err) == 0) {
            MUST(digest.size == size);
            MUST(memcmp(digest.root, entry->root, OL_HASH_BYTES) == 0);
            ol_digest_clear(&digest);
        }
        free(copy);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct ol_state_entry entry, again;
    struct ol_error err;
    const uint8_t *line = memchr(data, '\n', len);
    size_t first = line != NULL ? (size_t)(line - data) : len;
    char *text;
    size_t text_len;

    if (ol_state_entry_parse((const char *)data, first, &entry, &err) != 0)
        return 0;
    MUST(memchr(entry.path, '\0', sizeof(entry.path)) != NULL);
    MUST(memchr(entry.version, '\0', sizeof(entry.version)) != NULL);
    /* The module's own versions need no escaping; others are never written. */
    if (strspn(entry.version, "0123456789. -") == strlen(entry.version)) {
        MUST(ol_state_entry_text(&entry, &text, &text_len) == 0);
        MUST(ol_state_entry_parse(text, text_len, &again, &err) == 0);
        MUST(strcmp(entry.path, again.path) == 0 &&
             strcmp(entry.version, again.version) == 0 &&
             memcmp(entry.root, again.root, OL_HASH_BYTES) == 0 &&
             memcmp(entry.infohash, again.infohash, OL_SHA1_BYTES) == 0);
        free(text);
    }
    if (line != NULL)
        table(&entry, line + 1, len - first - 1);
    return 0;
}

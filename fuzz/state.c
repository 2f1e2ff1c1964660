/*
 * What is kept of a file's version: an entry as it comes; and an entry and a
 * table that are made from the input, and fit, so that what is behind each
 * check is reached.  What is taken is what would be written, and nothing else.
 */
#include "fuzz.h"

#include "offload/metalink.h"
#include "offload/state.h"
#include "offload/torrent.h"

#define PIECES_MAX 420 /* more than the list of Metalink is made for */
#define HEAD 8

/* What is made of the first bytes. */
struct plan {
    uint64_t size;
    uint16_t place; /* in the table file: what is changed there */
    uint8_t bits;
    uint8_t fits; /* so many of its three parts do */
};

static struct ol_state_entry entry, again;

static bool
same_entry(const struct ol_state_entry *a, const struct ol_state_entry *b)
{
    return strcmp(a->path, b->path) == 0 &&
           strcmp(a->version, b->version) == 0 &&
           memcmp(a->root, b->root, OL_HASH_BYTES) == 0 &&
           memcmp(a->sha256, b->sha256, OL_HASH_BYTES) == 0 &&
           memcmp(a->infohash, b->infohash, OL_SHA1_BYTES) == 0;
}

static void
written_and_read(const struct ol_state_entry *e)
{
    struct ol_error err;
    char *text;
    size_t len;

    MUST(ol_state_entry_text(e, &text, &len) == 0);
    MUST(len <= OL_STATE_ENTRY_MAX);
    MUST(ol_state_entry_parse(text, len, &again, &err) == 0);
    MUST(same_entry(e, &again));
    free(text);
}

static void
as_it_comes(const uint8_t *data, size_t len)
{
    struct ol_error err;

    if (ol_state_entry_parse((const char *)data, len, &entry, &err) != 0)
        return;
    MUST(memchr(entry.path, '\0', sizeof(entry.path)) != NULL);
    MUST(memchr(entry.version, '\0', sizeof(entry.version)) != NULL);
    /* The module's own versions need no escaping; others are never written. */
    if (strspn(entry.version, "0123456789. -") == strlen(entry.version))
        written_and_read(&entry);
}

static struct plan
plan_of(const uint8_t *data)
{
    struct plan plan;
    unsigned pieces = (data[0] | (unsigned)data[1] << 8) % PIECES_MAX;

    plan.size = (uint64_t)pieces * (data[7] & 1 ? OL_PIECE_MAX : OL_PIECE_MIN) +
                data[2] + 1;
    plan.place = (uint16_t)(data[3] | data[4] << 8);
    plan.bits = data[5];
    plan.fits = data[6] % 4;
    return plan;
}

static void
repeat(uint8_t *dst, size_t cap, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < cap; i++)
        dst[i] = len > 0 ? (uint8_t)(data[i % len] + i / len) : 0;
}

/* An entry of a path that the input names; what it says of hashes fits. */
static void
entry_make(const struct ol_digest *digest, const uint8_t *data, size_t len,
           unsigned fits)
{
    struct ol_version version = {.size = (off_t)digest->size};
    const char *slash;

    memset(&entry, 0, sizeof(entry));
    entry.path[0] = '/';
    for (size_t i = 0; i < len && i < OL_STATE_PATH_MAX - 2; i++)
        entry.path[i + 1] = (char)(data[i] != 0 ? data[i] : '/');
    ol_state_version_text(entry.version, &version);
    repeat(entry.sha256, OL_HASH_BYTES, data, len);
    memcpy(entry.root, digest->root, OL_HASH_BYTES);
    entry.root[0] ^= fits < 1;
    slash = strrchr(entry.path, '/');
    if (ol_torrent_infohash(slash + 1, digest->size, digest->sha1,
                            entry.infohash) < 0)
        memset(entry.infohash, 0, OL_SHA1_BYTES);
    entry.infohash[0] ^= fits < 2;
}

/* Refused: another byte, another length, another size. */
static void
changed(const struct plan *plan, uint8_t *table, size_t len)
{
    size_t place = plan->place % len;
    struct ol_digest got;

    if (plan->bits != 0) {
        table[place] ^= plan->bits;
        MUST(ol_state_table_parse(table, len, plan->size, &entry, &got, NULL) ==
             -EBADMSG);
        table[place] ^= plan->bits;
    }
    MUST(ol_state_table_parse(table, place, plan->size, &entry, &got, NULL) ==
         -EBADMSG);
    MUST(ol_state_table_parse(table, len, plan->size + 1 + plan->bits, &entry,
                              &got, NULL) == -EBADMSG);
}

static void
parse(const struct plan *plan, const struct ol_digest *digest, bool named)
{
    size_t sha1 = (size_t)digest->piece_count * OL_HASH_BYTES;
    size_t rest = sha1 + (size_t)digest->piece_count * OL_SHA1_BYTES, len;
    struct ol_digest got;
    uint8_t *table;
    char *pieces;
    int rc;

    MUST(ol_metalink_pieces(digest, &pieces, &len) == 0);
    if (plan->fits < 3 && len > 0)
        pieces[plan->place % len] ^= 1;
    table = malloc(rest + len);
    memcpy(table, digest->table, sha1);
    memcpy(table + sha1, digest->sha1, rest - sha1);
    if (len > 0)
        memcpy(table + rest, pieces, len);
    free(pieces);

    rc =
        ol_state_table_parse(table, rest + len, plan->size, &entry, &got, NULL);
    if (rc == 0) {
        MUST(got.size == plan->size && got.piece_count == digest->piece_count);
        MUST(memcmp(got.table, digest->table, sha1) == 0);
        MUST(memcmp(got.sha1, digest->sha1, rest - sha1) == 0);
        MUST(memcmp(got.sha256, entry.sha256, OL_HASH_BYTES) == 0);
        ol_digest_clear(&got);
        changed(plan, table, rest + len);
    }
    MUST((rc == 0) ==
         (named && (plan->fits == 3 || (plan->fits == 2 && len == 0))));
    free(table);
}

static void
made(const uint8_t *data, size_t len)
{
    struct plan plan = plan_of(data);
    struct ol_digest digest = {.size = plan.size};
    uint8_t unused[OL_SHA1_BYTES];
    bool named;

    digest.piece_size = ol_piece_size(plan.size);
    digest.piece_count = ol_piece_count(plan.size);
    digest.table = malloc((size_t)digest.piece_count * OL_HASH_BYTES);
    digest.sha1 = malloc((size_t)digest.piece_count * OL_SHA1_BYTES);
    repeat(digest.table, (size_t)digest.piece_count * OL_HASH_BYTES,
           data + HEAD, len - HEAD);
    repeat(digest.sha1, (size_t)digest.piece_count * OL_SHA1_BYTES, data + HEAD,
           len - HEAD);
    ol_sha256(digest.table, (size_t)digest.piece_count * OL_HASH_BYTES,
              digest.root);
    entry_make(&digest, data + HEAD, len - HEAD, plan.fits);
    written_and_read(&entry);
    named = ol_torrent_infohash(strrchr(entry.path, '/') + 1, plan.size,
                                digest.sha1, unused) == 0;
    parse(&plan, &digest, named);
    ol_digest_clear(&digest);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    as_it_comes(data, len);
    if (len >= HEAD)
        made(data, len);
    return 0;
}

/*
 * What is kept of a file's version: the forms of an entry and of a table file,
 * and whether bytes that claim to be one are to be believed.  Pure: knows no
 * folder (state_files.c does).
 */
#include "offload/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offload/encoding.h"
#include "offload/json.h"
#include "offload/metalink.h"
#include "offload/origin.h"
#include "offload/torrent.h"

void
ol_version_of(const struct stat *st, struct ol_version *ret)
{
    ret->dev = st->st_dev;
    ret->ino = st->st_ino;
    ret->size = st->st_size;
    ret->mtime = st->st_mtim.tv_sec;
    ret->mtime_nsec = st->st_mtim.tv_nsec;
    ret->ctime = st->st_ctim.tv_sec;
    ret->ctime_nsec = st->st_ctim.tv_nsec;
}

bool
ol_version_same(const struct ol_version *a, const struct ol_version *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime == b->mtime && a->mtime_nsec == b->mtime_nsec &&
           a->ctime == b->ctime && a->ctime_nsec == b->ctime_nsec;
}

bool
ol_version_young(const struct ol_version *version, time_t now)
{
    time_t latest =
        version->mtime > version->ctime ? version->mtime : version->ctime;

    return latest <= now + OL_STATE_AHEAD && latest + OL_STATE_YOUNG > now;
}

void
ol_state_version_text(char *dst, const struct ol_version *version)
{
    snprintf(dst, OL_STATE_VERSION_MAX, "%ju %ju %jd %jd.%09ld %jd.%09ld",
             (uintmax_t)version->dev, (uintmax_t)version->ino,
             (intmax_t)version->size, (intmax_t)version->mtime,
             version->mtime_nsec, (intmax_t)version->ctime,
             version->ctime_nsec);
}

uint64_t
ol_state_sha1_offset(uint64_t size)
{
    return (uint64_t)ol_piece_count(size) * OL_HASH_BYTES;
}

uint64_t
ol_state_metalink_offset(uint64_t size)
{
    return (uint64_t)ol_piece_count(size) * (OL_HASH_BYTES + OL_SHA1_BYTES);
}

void
ol_state_table_name(char *dst, const uint8_t root[OL_HASH_BYTES])
{
    ol_hex_encode(dst, root, OL_HASH_BYTES);
    strcpy(dst + OL_ROOT_HEX, ".table");
}

void
ol_state_entry_name(char *dst, const char *path)
{
    uint8_t hash[OL_HASH_BYTES];

    ol_sha256(path, strlen(path), hash);
    ol_hex_encode(dst, hash, OL_HASH_BYTES);
    strcpy(dst + OL_ROOT_HEX, ".file");
}

/* Paths are bytes, JSON is UTF-8: all but plain ASCII is percent-encoded. */
static int
path_decode(const char *text, char dst[OL_STATE_PATH_MAX])
{
    size_t n = 0;

    for (; *text != '\0'; text++) {
        unsigned byte = (unsigned char)*text;

        if (n == OL_STATE_PATH_MAX - 1)
            return -EBADMSG;
        if (byte == '%') {
            static const char digits[] = "0123456789ABCDEF";
            const char *high = text[1] ? strchr(digits, text[1]) : NULL;
            const char *low = high && text[2] ? strchr(digits, text[2]) : NULL;

            if (low == NULL)
                return -EBADMSG;
            byte = (unsigned)(high - digits) << 4 | (unsigned)(low - digits);
            text += 2;
        }
        if (byte == 0)
            return -EBADMSG;
        dst[n++] = (char)byte;
    }
    dst[n] = '\0';
    return n > 0 ? 0 : -EBADMSG;
}

/* Of all else that an entry says: nothing but this vouches for its sha256. */
static void
entry_sum(const struct ol_state_entry *entry, uint8_t ret[OL_HASH_BYTES])
{
    uint8_t text[sizeof(*entry)], *p = text;

    p = mempcpy(p, entry->path, strlen(entry->path) + 1);
    p = mempcpy(p, entry->version, strlen(entry->version) + 1);
    p = mempcpy(p, entry->root, OL_HASH_BYTES);
    p = mempcpy(p, entry->sha256, OL_HASH_BYTES);
    p = mempcpy(p, entry->infohash, OL_SHA1_BYTES);
    ol_sha256(text, (size_t)(p - text), ret);
}

static int
entry_read(const json_t *json, struct ol_state_entry *entry,
           struct ol_error *err)
{
    uint8_t sum[OL_HASH_BYTES], should[OL_HASH_BYTES];
    const char *path, *version;

    if (ol_json_string(json, "path", OL_STATE_ENTRY_MAX, &path, err) < 0 ||
        ol_json_string(json, "version", OL_STATE_VERSION_MAX - 1, &version,
                       err) < 0 ||
        ol_json_hex(json, "root", entry->root, OL_HASH_BYTES, err) < 0 ||
        ol_json_hex(json, "sha256", entry->sha256, OL_HASH_BYTES, err) < 0 ||
        ol_json_hex(json, "infohash", entry->infohash, OL_SHA1_BYTES, err) <
            0 ||
        ol_json_hex(json, "sum", sum, OL_HASH_BYTES, err) < 0)
        return -EBADMSG;
    if (path_decode(path, entry->path) < 0)
        return ol_error_set(err, EBADMSG, "path: not percent-encoded");
    strcpy(entry->version, version);
    entry_sum(entry, should);
    if (memcmp(sum, should, OL_HASH_BYTES) != 0)
        return ol_error_set(err, EBADMSG, "sum: of another entry");
    return 0;
}

int
ol_state_entry_parse(const char *text, size_t len, struct ol_state_entry *ret,
                     struct ol_error *err)
{
    json_t *json;
    int rc;

    if (len > OL_STATE_ENTRY_MAX)
        return ol_error_set(err, EBADMSG, "entry: too long");
    json = ol_json_parse(text, len, err);
    if (json == NULL)
        return -EBADMSG;
    rc = entry_read(json, ret, err);
    json_decref(json);
    return rc;
}

int
ol_state_entry_text(const struct ol_state_entry *entry, char **text,
                    size_t *len)
{
    char path[3 * OL_STATE_PATH_MAX], root[OL_ROOT_HEX + 1];
    char sha256[OL_HEX_LEN(OL_HASH_BYTES) + 1];
    char infohash[OL_HEX_LEN(OL_SHA1_BYTES) + 1];
    char sum_hex[OL_HEX_LEN(OL_HASH_BYTES) + 1];
    uint8_t sum[OL_HASH_BYTES];
    int n;

    if (ol_subject_encode(entry->path, strlen(entry->path), path,
                          sizeof(path)) < 0)
        return -ENAMETOOLONG;
    ol_hex_encode(root, entry->root, OL_HASH_BYTES);
    ol_hex_encode(sha256, entry->sha256, OL_HASH_BYTES);
    ol_hex_encode(infohash, entry->infohash, OL_SHA1_BYTES);
    entry_sum(entry, sum);
    ol_hex_encode(sum_hex, sum, OL_HASH_BYTES);
    /* None of these has a character that JSON would escape. */
    n = asprintf(text,
                 "{\"path\":\"%s\",\"version\":\"%s\",\"root\":\"%s\","
                 "\"sha256\":\"%s\",\"infohash\":\"%s\",\"sum\":\"%s\"}\n",
                 path, entry->version, root, sha256, infohash, sum_hex);
    if (n < 0)
        return -ENOMEM;
    *len = (size_t)n;
    return 0;
}

static void *
copy(const void *data, size_t len)
{
    void *made = malloc(len);

    return made == NULL ? NULL : memcpy(made, data, len);
}

/* The hashes of digest are there: does all that follows from them fit? */
static int
table_check(const struct ol_digest *digest, const struct ol_state_entry *entry,
            const uint8_t *rest, size_t len, struct ol_error *err)
{
    const char *slash = strrchr(entry->path, '/');
    uint8_t infohash[OL_SHA1_BYTES];
    char *pieces;
    size_t pieces_len;
    bool same;

    if (ol_torrent_infohash(slash != NULL ? slash + 1 : entry->path,
                            digest->size, digest->sha1, infohash) < 0 ||
        memcmp(infohash, entry->infohash, OL_SHA1_BYTES) != 0)
        return ol_error_set(err, EBADMSG, "table: SHA-1s of something else");
    if (ol_metalink_pieces(digest, &pieces, &pieces_len) < 0)
        return ol_error_set(err, ENOMEM, "table: out of memory");
    same = len == pieces_len && (len == 0 || memcmp(rest, pieces, len) == 0);
    free(pieces);
    if (!same)
        return ol_error_set(err, EBADMSG, "table: another list of pieces");
    return 0;
}

int
ol_state_table_parse(const uint8_t *data, size_t len, uint64_t size,
                     const struct ol_state_entry *entry, struct ol_digest *ret,
                     struct ol_error *err)
{
    struct ol_digest digest = {.size = size};
    size_t sha1 = (size_t)ol_state_sha1_offset(size);
    size_t metalink = (size_t)ol_state_metalink_offset(size);
    int rc;

    if (metalink == 0 || len < metalink)
        return ol_error_set(err, EBADMSG, "table: %zu bytes, not %zu or more",
                            len, metalink);
    rc = ol_table_check(data, sha1, size, entry->root, err);
    if (rc < 0)
        return rc;
    digest.piece_size = ol_piece_size(size);
    digest.piece_count = ol_piece_count(size);
    memcpy(digest.root, entry->root, OL_HASH_BYTES);
    memcpy(digest.sha256, entry->sha256, OL_HASH_BYTES);
    digest.table = copy(data, sha1);
    digest.sha1 = copy(data + sha1, metalink - sha1);
    rc =
        digest.table == NULL || digest.sha1 == NULL
            ? ol_error_set(err, ENOMEM, "table: out of memory")
            : table_check(&digest, entry, data + metalink, len - metalink, err);
    if (rc < 0) {
        ol_digest_clear(&digest);
        return rc;
    }
    *ret = digest;
    return 0;
}

/*
 * The contents on disk: STORAGE/c/<2 hex>/<root>/ with
 *   data        the bytes, sparse, of the file's full length
 *   table       the SHA-256 of each piece
 *   manifest    the site's signed manifest, as it came
 *   assignment  what the coordinator said of it (JSON)
 *   have        which pieces are there
 *   released    the coordinators that no longer want it, a line each; or none
 *
 * A folder appears and goes by rename, so it is there whole or not at all.  A
 * piece's bit reaches `have` only after the data was synced.  What `have` says
 * is certain only if every piece in it was checked since the last crash and
 * nobody has touched data meanwhile (its size and mtime are in `have`, and a
 * generation that changes with each crash); else each piece must be checked
 * before it is used (store_entry.sure).
 *
 * Every function but store_create and store_free may block on the disk and may
 * run in any thread, one at a time per content.
 */
#ifndef NODE_STORE_H
#define NODE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "offload/bitmap.h"
#include "offload/content.h"
#include "offload/error.h"

#define STORE_ASSIGNMENT_MAX 65536 /* bytes */
#define STORE_RELEASED_MAX 8192

struct store;

/*
 * Makes the folders and takes the lock (-EBUSY: another node runs on them).
 * *ret_clean: the last run ended with store_close_clean, or there was none;
 * else nothing in it counts as sure.
 */
int store_create(const char *path, struct store **ret, bool *ret_clean,
                 struct ol_error *err);
/* Everything is synced: the next run may believe what is marked as sure. */
int store_close_clean(struct store *store);
void store_free(struct store *store);

/* What a scan finds.  The callee takes have (or clears it). */
struct store_entry {
    uint8_t root[OL_HASH_BYTES];
    uint64_t size;
    struct ol_bitmap have;
    bool sure;
    char *assignment, *released; /* NUL-terminated, borrowed; NULL if none */
};
/*
 * All contents; what a crash left half made or half removed is deleted.  The
 * call-back returns 0 or -errno, which ends the scan.
 */
int store_scan(struct store *store,
               int (*found)(void *arg, struct store_entry *entry), void *arg);

struct store_new {
    uint8_t root[OL_HASH_BYTES];
    uint64_t size;
    const uint8_t *table; /* checked by the caller */
    const char *manifest, *assignment;
    size_t manifest_len, assignment_len;
};
/* -EEXIST: it is there already; nothing was changed. */
int store_add(struct store *store, const struct store_new *content);
/* Replaces "manifest", "assignment" or "released" in one step. */
int store_replace(struct store *store, const uint8_t root[OL_HASH_BYTES],
                  const char *name, const void *data, size_t len);
/* From now on it is gone, even after a crash. */
int store_remove(struct store *store, const uint8_t root[OL_HASH_BYTES]);

struct store_file {
    int fd; /* of data, to read and write */
    uint64_t size;
    uint8_t *table;
    char *manifest, *assignment; /* NUL-terminated */
    size_t manifest_len, assignment_len;
};
/* -EBADMSG: the folder is damaged. */
int store_open(struct store *store, const uint8_t root[OL_HASH_BYTES],
               uint64_t size, struct store_file *ret);
void store_file_clear(struct store_file *file);

/* Reads piece `index` and checks it: -EBADMSG if it is not what it should. */
int store_piece_check(const struct store_file *file, uint32_t index);
/* Checks data, then writes it.  -EBADMSG: wrong bytes, nothing written. */
int store_piece_write(const struct store_file *file, uint32_t index,
                      const void *data, size_t len);
/*
 * Syncs data, then writes down what is there.  Every piece of `have` must have
 * been written before the call; sure: and checked, by this run or before it.
 * If it fails, what is cached of data is forgotten: a check reads the disk.
 */
int store_sync(struct store *store, const uint8_t root[OL_HASH_BYTES],
               const struct store_file *file, const struct ol_bitmap *have,
               bool sure);

#endif

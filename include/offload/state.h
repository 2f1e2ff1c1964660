/*
 * What is kept of versions of files, in a folder that the module's workers
 * and `offload index` share: so that a file is hashed once.
 *
 *   <SHA-256 of the path>.file   JSON: path, version, root, sha256, infohash,
 *                                and sum, the SHA-256 of these
 *   <root>.table                 the piece table, the pieces' SHA-1s, and the
 *                                <pieces> element of Metalink, one after
 *                                another; sent in parts, as a file
 *
 * The path is spelled as nginx opens it (`root` or `alias`, and the URI).
 * Nothing here is ever wrong if it is lost, and nothing is believed that does
 * not fit: the sum tells whether an entry is as it was written, its version
 * whether it is of the file that is there; the root checks the table, the
 * infohash the SHA-1s, and the rest follows from these.
 * Files come whole, by rename, so the folder can be read at any time.
 */
#ifndef OL_STATE_H
#define OL_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "offload/content.h"
#include "offload/error.h"

#define OL_STATE_PATH_MAX 4096    /* bytes of a path, with its NUL */
#define OL_STATE_VERSION_MAX 192  /* likewise, of a version's text */
#define OL_STATE_ENTRY_MAX 16384  /* bytes of an entry */
#define OL_STATE_NAME_MAX 80      /* bytes of a file's name, with its NUL */
#define OL_STATE_AHEAD 60         /* s: as a file server's clock may be */
#define OL_STATE_YOUNG 2          /* s: could change and leave no trace */
#define OL_STATE_KEEP (24 * 3600) /* s: what nobody uses, at least so long */

/* What tells two versions of a file apart. */
struct ol_version {
    dev_t dev;
    ino_t ino;
    off_t size;
    time_t mtime;
    long mtime_nsec;
    time_t ctime;
    long ctime_nsec;
};

void ol_version_of(const struct stat *st, struct ol_version *ret);
bool ol_version_same(const struct ol_version *a, const struct ol_version *b);
/* Changed less than OL_STATE_YOUNG ago, by a clock that may be ahead. */
bool ol_version_young(const struct ol_version *version, time_t now);

/* Where the parts of a table file begin; the first does at 0. */
uint64_t ol_state_sha1_offset(uint64_t size);
uint64_t ol_state_metalink_offset(uint64_t size); /* ends with the file */

/* Names in the folder, without it.  dst: OL_STATE_NAME_MAX bytes. */
void ol_state_table_name(char *dst, const uint8_t root[OL_HASH_BYTES]);
void ol_state_entry_name(char *dst, const char *path);

struct ol_state_entry {
    char path[OL_STATE_PATH_MAX];
    char version[OL_STATE_VERSION_MAX];
    uint8_t root[OL_HASH_BYTES];
    uint8_t sha256[OL_HASH_BYTES];
    uint8_t infohash[OL_SHA1_BYTES]; /* of the path's last part */
};

/* An entry's text, whatever it is: 0, else -EBADMSG. */
int ol_state_entry_parse(const char *text, size_t len,
                         struct ol_state_entry *ret, struct ol_error *err);
/* Of what entry says, as it is written; *text is the caller's to free. */
int ol_state_entry_text(const struct ol_state_entry *entry, char **text,
                        size_t *len);
/* The file of that name in an open folder, if it is an entry: 0, -errno. */
int ol_state_entry_load(int dir, const char *name, struct ol_state_entry *ret);
/* dst: OL_STATE_VERSION_MAX bytes. */
void ol_state_version_text(char *dst, const struct ol_version *version);

/*
 * A table file's bytes, whatever they are: are they those of entry's file,
 * which has size bytes?  *ret is the caller's to clear.  0, -EBADMSG, -ENOMEM.
 */
int ol_state_table_parse(const uint8_t *data, size_t len, uint64_t size,
                         const struct ol_state_entry *entry,
                         struct ol_digest *ret, struct ol_error *err);

/*
 * What is kept of this version of path; *ret is the caller's to clear.
 * -ENOENT: nothing that can be used.  -ENOMEM.
 */
int ol_state_load(const char *dir, const char *path,
                  const struct ol_version *version, struct ol_digest *ret);

/*
 * Keeps a version, in place of an older one of path; the table before the
 * entry that promises it.  durable: on the disk before it has its name.  Else
 * the caller calls ol_state_sync() in the end; what a power failure leaves of
 * such files does not fit, and is not believed.  What root writes belongs to
 * the folder's owner.  -ENAMETOOLONG: path; -errno.
 */
int ol_state_save(const char *dir, const char *path,
                  const struct ol_version *version,
                  const struct ol_digest *digest, bool durable,
                  struct ol_error *err);
/* All that was saved in the folder is on the disk. */
int ol_state_sync(const char *dir, struct ol_error *err);

/*
 * Takes away what has not been of use for OL_STATE_KEEP: entries whose path
 * does not lead to their version, tables that no entry names, what a process
 * that was killed left half-written.  A pass looks at all entries and marks,
 * by their mtime, them and the tables they name; then it looks at all tables.
 * It keeps no list, so it may end anywhere, and two may run at once.  What
 * cannot be looked at, marked or removed is counted and passed over.
 */
struct ol_collector;
struct ol_collected {
    unsigned long entries;  /* in use */
    unsigned long removed;  /* files */
    unsigned long failed;   /* passed over */
    struct ol_error reason; /* of the first of these; its name is in it */
};

/* under: only entries of paths in this folder can be useless; NULL: all. */
int ol_collector_create(const char *dir, const char *under, time_t now,
                        struct ol_collector **ret, struct ol_error *err);
/* Looks at max files.  1: there are more; 0: done; -errno: given up. */
int ol_collector_step(struct ol_collector *collector, unsigned max,
                      struct ol_error *err);
struct ol_collected ol_collector_result(const struct ol_collector *collector);
void ol_collector_free(struct ol_collector *collector);

#endif

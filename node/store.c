/*
 * The contents on disk (store.h).
 *
 * Owns: names and formats below STORAGE and the order of writes that makes a
 * crash harmless.  Must not know the network, the loop or why a piece is
 * wanted.
 */
#include "node/store.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/files.h"
#include "offload/encoding.h"
#include "offload/jws.h"

#define NAME_MAX_LEN (5 + OL_ROOT_HEX + 8) /* "c/ab/<root>.new" */
#define HAVE_MAGIC "olhave1\n"

struct store {
    int dir;             /* STORAGE */
    int lock;            /* STORAGE/lock, held */
    uint64_t generation; /* not 0; in STORAGE/clean between two runs */
};

/* Head of the file `have`; the bits and a SHA-256 of all before follow. */
struct have_head {
    char magic[8];
    uint64_t size;       /* of the content; all three big-endian */
    uint64_t mtime_ns;   /* of data when this was written */
    uint64_t generation; /* the store's, or 0: not all was checked */
};

static void
content_name(const uint8_t root[OL_HASH_BYTES], const char *suffix,
             char ret[NAME_MAX_LEN])
{
    char hex[OL_ROOT_HEX + 1];

    ol_hex_encode(hex, root, OL_HASH_BYTES);
    snprintf(ret, NAME_MAX_LEN, "c/%.2s/%s%s", hex, hex, suffix);
}

static void
folder_delete(int parent, const char *name)
{
    static const char *const files[] = {
        "data",           "table",      "manifest",
        "manifest.new",   "assignment", "have.new",
        "assignment.new", "have",       "released",
        "released.new",   NULL};
    int dir = folder_open(parent, name);

    if (dir < 0)
        return;
    for (size_t i = 0; files[i] != NULL; i++)
        unlinkat(dir, files[i], 0);
    close(dir);
    unlinkat(parent, name, AT_REMOVEDIR);
}

/* The file `have` */

static uint64_t
mtime_ns(const struct stat *st)
{
    return (uint64_t)st->st_mtim.tv_sec * UINT64_C(1000000000) +
           (uint64_t)st->st_mtim.tv_nsec;
}

static int
have_write(int dir, uint64_t size, const struct stat *data, uint64_t generation,
           const struct ol_bitmap *have)
{
    struct have_head head = {.magic = HAVE_MAGIC};
    size_t bits = ol_bitmap_bytes(have->count);
    size_t len = sizeof(head) + bits + OL_HASH_BYTES;
    uint8_t *text = malloc(len);
    int rc;

    if (text == NULL)
        return -ENOMEM;
    head.size = htobe64(size);
    head.mtime_ns = htobe64(mtime_ns(data));
    head.generation = htobe64(generation);
    memcpy(text, &head, sizeof(head));
    memcpy(text + sizeof(head), have->bits, bits);
    ol_sha256(text, sizeof(head) + bits, text + sizeof(head) + bits);
    rc = file_replace(dir, "have", text, len);
    free(text);
    return rc;
}

static int
have_decode(const uint8_t *text, size_t len, struct have_head *ret_head,
            struct ol_bitmap *ret)
{
    struct have_head head;
    uint8_t sum[OL_HASH_BYTES];
    uint32_t count;
    int rc;

    if (len < sizeof(head) + OL_HASH_BYTES)
        return -EBADMSG;
    memcpy(&head, text, sizeof(head));
    head.size = be64toh(head.size);
    head.mtime_ns = be64toh(head.mtime_ns);
    head.generation = be64toh(head.generation);
    count = ol_piece_count(head.size);
    ol_sha256(text, len - OL_HASH_BYTES, sum);
    if (memcmp(head.magic, HAVE_MAGIC, 8) != 0 || count == 0 ||
        len != sizeof(head) + ol_bitmap_bytes(count) + OL_HASH_BYTES ||
        memcmp(sum, text + len - OL_HASH_BYTES, OL_HASH_BYTES) != 0)
        return -EBADMSG;
    rc = ol_bitmap_init(ret, count);
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; i < count; i++)
        if (text[sizeof(head) + i / 8] & 0x80 >> i % 8)
            ol_bitmap_put(ret, i, true);
    *ret_head = head;
    return 0;
}

static int
have_read(int dir, struct have_head *ret_head, struct ol_bitmap *ret)
{
    char *text;
    size_t len;
    int rc;

    rc = file_read(dir, "have", 1 << 20, &text, &len);
    if (rc != 0)
        return rc;
    rc = have_decode((uint8_t *)text, len, ret_head, ret);
    free(text);
    return rc;
}

/* Scan */

/* Frees what a crash left behind in pieces that `have` does not name. */
static void
punch_holes(int fd, uint64_t size, const struct ol_bitmap *have)
{
    uint64_t piece = ol_piece_size(size);
    uint32_t from = 0, end;

    while ((from = ol_bitmap_find(have, from, false)) < have->count) {
        uint64_t stop;

        end = ol_bitmap_find(have, from, true);
        stop = end < have->count ? end * piece : size;
        if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      (off_t)(from * piece), (off_t)(stop - from * piece)) != 0)
            return; /* not every file system can: some bytes go uncounted */
        from = end;
    }
}

static int
data_inspect(int dir, const struct have_head *head,
             const struct ol_bitmap *have, bool *ret_sure)
{
    struct stat st;
    int fd, rc = 0;

    fd = openat(dir, "data", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) != 0) {
        rc = -errno;
    } else {
        *ret_sure = (uint64_t)st.st_size == head->size &&
                    mtime_ns(&st) == head->mtime_ns;
        /* A cut file reads as zeros behind the cut, which no check passes. */
        if ((uint64_t)st.st_size != head->size &&
            ftruncate(fd, (off_t)head->size) != 0)
            rc = -errno;
        if (rc == 0 && !*ret_sure)
            punch_holes(fd, head->size, have);
    }
    close(fd);
    return rc;
}

static int
scan_content(int parent, const char *name, uint64_t generation,
             int (*found)(void *arg, struct store_entry *entry), void *arg)
{
    struct store_entry entry = {0};
    struct have_head head = {0};
    size_t len;
    bool same = false;
    int dir, rc;

    if (ol_hex_decode(entry.root, OL_HASH_BYTES, name, strlen(name)) != 0) {
        folder_delete(parent, name); /* .new or .gone */
        return 0;
    }
    dir = folder_open(parent, name);
    if (dir < 0)
        return 0;
    rc = file_read(dir, "assignment", STORE_ASSIGNMENT_MAX, &entry.assignment,
                   &len);
    if (rc == 0) {
        rc = file_read(dir, "released", STORE_RELEASED_MAX, &entry.released,
                       &len);
        rc = rc == -ENOENT ? 0 : rc;
    }
    if (rc == 0)
        rc = have_read(dir, &head, &entry.have);
    if (rc == 0)
        rc = data_inspect(dir, &head, &entry.have, &same);
    close(dir);
    if (rc == 0) {
        entry.size = head.size;
        entry.sure = same && head.generation == generation;
        rc = found(arg, &entry);
    } else {
        ol_bitmap_clear(&entry.have);
        if (rc == -EBADMSG || rc == -ENOENT) {
            folder_delete(parent, name);
            rc = 0;
        }
    }
    free(entry.assignment);
    free(entry.released);
    return rc;
}

static int
scan_folder(int parent, uint64_t generation,
            int (*found)(void *arg, struct store_entry *entry), void *arg)
{
    DIR *list = fdopendir(parent);
    struct dirent *entry;
    int rc = 0;

    if (list == NULL) {
        rc = -errno;
        close(parent);
        return rc;
    }
    while (rc == 0 && (entry = readdir(list)) != NULL)
        if (entry->d_name[0] != '.')
            rc = scan_content(dirfd(list), entry->d_name, generation, found,
                              arg);
    closedir(list);
    return rc;
}

int
store_scan(struct store *store,
           int (*found)(void *arg, struct store_entry *entry), void *arg)
{
    int rc = 0;

    for (unsigned i = 0; i < 256 && rc == 0; i++) {
        char name[8];
        int fd;

        snprintf(name, sizeof(name), "c/%02x", i);
        fd = folder_open(store->dir, name);
        if (fd >= 0)
            rc = scan_folder(fd, store->generation, found, arg);
        else if (fd != -ENOENT)
            rc = fd;
    }
    return rc;
}

/* The store */

static int
take_lock(struct store *store, const char *path, struct ol_error *err)
{
    store->lock =
        openat(store->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock < 0)
        return ol_error_set(err, errno, "%s/lock: %s", path, strerror(errno));
    if (flock(store->lock, LOCK_EX | LOCK_NB) != 0)
        return ol_error_set(err, EBUSY,
                            "%s is in use by another node; give each its own "
                            "--storage",
                            path);
    return 0;
}

/* Takes the mark of a clean end away, so that it holds for one start. */
static int
read_generation(struct store *store, bool *ret_clean)
{
    char *text = NULL;
    size_t len = 0;
    int rc;

    *ret_clean = faccessat(store->dir, "c", F_OK, 0) != 0;
    store->generation = 0;
    rc = file_read(store->dir, "clean", sizeof(store->generation), &text, &len);
    if (rc == 0 && len == sizeof(store->generation)) {
        memcpy(&store->generation, text, len);
        *ret_clean = true;
    }
    free(text);
    while (store->generation == 0)
        if (getrandom(&store->generation, sizeof(store->generation), 0) < 0)
            return -errno;
    if (unlinkat(store->dir, "clean", 0) != 0 && errno != ENOENT)
        return -errno;
    return fsync(store->dir) == 0 ? 0 : -errno;
}

int
store_create(const char *path, struct store **ret, bool *ret_clean,
             struct ol_error *err)
{
    struct store *store = malloc(sizeof(*store));
    int rc;

    if (store == NULL)
        return -ENOMEM;
    store->dir = store->lock = -1;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        goto fail;
    store->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->dir < 0)
        goto fail;
    rc = take_lock(store, path, err);
    if (rc != 0) {
        store_free(store);
        return rc;
    }
    rc = read_generation(store, ret_clean);
    if (rc == 0)
        rc = folder_make(store->dir, "c");
    if (rc != 0) {
        errno = -rc;
        goto fail;
    }
    *ret = store;
    return 0;

fail:
    rc = ol_error_set(err, errno, "storage folder %s: %s", path,
                      strerror(errno));
    store_free(store);
    return rc;
}

int
store_close_clean(struct store *store)
{
    return file_replace(store->dir, "clean", &store->generation,
                        sizeof(store->generation));
}

void
store_free(struct store *store)
{
    if (store == NULL)
        return;
    if (store->lock >= 0)
        close(store->lock);
    if (store->dir >= 0)
        close(store->dir);
    free(store);
}

static int
fill_folder(int dir, const struct store_new *content, uint64_t generation)
{
    uint32_t count = ol_piece_count(content->size);
    struct ol_bitmap none = {0};
    struct stat st;
    int fd, rc;

    fd = openat(dir, "data", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    rc = ol_bitmap_init(&none, count);
    if (rc == 0 && (ftruncate(fd, (off_t)content->size) != 0 ||
                    fsync(fd) != 0 || fstat(fd, &st) != 0))
        rc = -errno;
    close(fd);
    if (rc == 0)
        rc = file_write(dir, "table", content->table,
                        (size_t)count * OL_HASH_BYTES);
    if (rc == 0)
        rc = file_write(dir, "manifest", content->manifest,
                        content->manifest_len);
    if (rc == 0)
        rc = file_write(dir, "assignment", content->assignment,
                        content->assignment_len);
    if (rc == 0)
        rc = have_write(dir, content->size, &st, generation, &none);
    ol_bitmap_clear(&none);
    return rc;
}

int
store_add(struct store *store, const struct store_new *content)
{
    char name[NAME_MAX_LEN], fresh[NAME_MAX_LEN], parent[NAME_MAX_LEN];
    int dir, rc;

    content_name(content->root, "", name);
    content_name(content->root, ".new", fresh);
    snprintf(parent, sizeof(parent), "%.4s", name);
    if (faccessat(store->dir, name, F_OK, 0) == 0)
        return -EEXIST;
    rc = folder_make(store->dir, parent);
    if (rc == 0) {
        folder_delete(store->dir, fresh);
        rc = folder_make(store->dir, fresh);
    }
    if (rc != 0)
        return rc;
    dir = folder_open(store->dir, fresh);
    rc = dir < 0 ? dir : fill_folder(dir, content, store->generation);
    if (dir >= 0)
        close(dir);
    if (rc == 0 && renameat(store->dir, fresh, store->dir, name) != 0)
        rc = -errno;
    if (rc == 0)
        rc = folder_sync(store->dir, parent);
    else
        folder_delete(store->dir, fresh);
    return rc;
}

int
store_replace(struct store *store, const uint8_t root[OL_HASH_BYTES],
              const char *name, const void *data, size_t len)
{
    char folder[NAME_MAX_LEN];
    int dir, rc;

    content_name(root, "", folder);
    dir = folder_open(store->dir, folder);
    if (dir < 0)
        return dir;
    rc = file_replace(dir, name, data, len);
    close(dir);
    return rc;
}

int
store_remove(struct store *store, const uint8_t root[OL_HASH_BYTES])
{
    char name[NAME_MAX_LEN], gone[NAME_MAX_LEN], parent[NAME_MAX_LEN];
    int rc;

    content_name(root, "", name);
    content_name(root, ".gone", gone);
    snprintf(parent, sizeof(parent), "%.4s", name);
    folder_delete(store->dir, gone);
    if (renameat(store->dir, name, store->dir, gone) != 0)
        return errno == ENOENT ? 0 : -errno;
    rc = folder_sync(store->dir, parent);
    folder_delete(store->dir, gone);
    return rc;
}

/* One content */

void
store_file_clear(struct store_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    free(file->table);
    free(file->manifest);
    free(file->assignment);
    *file = (struct store_file){.fd = -1};
}

int
store_open(struct store *store, const uint8_t root[OL_HASH_BYTES],
           uint64_t size, struct store_file *ret)
{
    struct store_file file = {.fd = -1, .size = size};
    size_t table_len = (size_t)ol_piece_count(size) * OL_HASH_BYTES;
    char name[NAME_MAX_LEN];
    int dir, rc;

    content_name(root, "", name);
    dir = folder_open(store->dir, name);
    if (dir < 0)
        return dir;
    file.fd = openat(dir, "data", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    rc = file.fd < 0 ? -errno : 0;
    if (rc == 0)
        rc = file_read(dir, "table", table_len, (char **)&file.table,
                       &table_len);
    if (rc == 0)
        rc = ol_table_check(file.table, table_len, size, root, NULL);
    if (rc == 0)
        rc = file_read(dir, "manifest", OL_JWS_MAX, &file.manifest,
                       &file.manifest_len);
    if (rc == 0)
        rc = file_read(dir, "assignment", STORE_ASSIGNMENT_MAX,
                       &file.assignment, &file.assignment_len);
    close(dir);
    if (rc != 0) {
        store_file_clear(&file);
        return rc;
    }
    *ret = file;
    return 0;
}

int
store_piece_check(const struct store_file *file, uint32_t index)
{
    uint32_t len = ol_piece_length(file->size, index);
    uint8_t *data = malloc(len);
    int rc;

    if (data == NULL)
        return -ENOMEM;
    rc = read_all(file->fd, data, len,
                  (uint64_t)index * ol_piece_size(file->size));
    if (rc == 0)
        rc = ol_piece_check(file->table, file->size, index, data, len);
    free(data);
    return rc;
}

int
store_piece_write(const struct store_file *file, uint32_t index,
                  const void *data, size_t len)
{
    int rc = ol_piece_check(file->table, file->size, index, data, len);

    if (rc != 0)
        return rc;
    return write_all(file->fd, data, len,
                     (uint64_t)index * ol_piece_size(file->size));
}

int
store_sync(struct store *store, const uint8_t root[OL_HASH_BYTES],
           const struct store_file *file, const struct ol_bitmap *have,
           bool sure)
{
    char name[NAME_MAX_LEN];
    struct stat st;
    int dir, rc;

    if (fdatasync(file->fd) != 0 || fstat(file->fd, &st) != 0) {
        rc = -errno;
        posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
        return rc;
    }
    content_name(root, "", name);
    dir = folder_open(store->dir, name);
    if (dir < 0)
        return dir;
    rc = have_write(dir, file->size, &st, sure ? store->generation : 0, have);
    close(dir);
    return rc;
}

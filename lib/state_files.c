/*
 * What is kept of files, in its folder: read with every doubt, written so that
 * a reader sees a file whole or not at all, whoever is killed when.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "offload/metalink.h"
#include "offload/state.h"
#include "offload/torrent.h"

/* The <pieces> element is of at most so many bytes a piece. */
#define METALINK_PER_PIECE 128
#define METALINK_REST 256

static ssize_t
read_all(int fd, void *buf, size_t cap)
{
    size_t len = 0;

    while (len < cap) {
        ssize_t n = read(fd, (char *)buf + len, cap - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

/* A whole file of at most max bytes; *ret is the caller's to free. */
static int
read_file(int dir, const char *name, size_t max, void **ret, size_t *ret_len)
{
    struct stat st;
    void *buf = NULL;
    ssize_t len;
    int rc = -EBADMSG;
    int fd = openat(dir, name,
                    O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 0 ||
        (uint64_t)st.st_size > max)
        goto out;
    buf = malloc((size_t)st.st_size + 1);
    if (buf == NULL) {
        rc = -ENOMEM;
        goto out;
    }
    len = read_all(fd, buf, (size_t)st.st_size);
    if (len != st.st_size)
        goto out;
    *ret = buf;
    *ret_len = (size_t)len;
    buf = NULL;
    rc = 0;
out:
    free(buf);
    close(fd);
    return rc;
}

/* Not if it is named after another path than it says. */
int
ol_state_entry_load(int dir, const char *name, struct ol_state_entry *ret)
{
    char should[OL_STATE_NAME_MAX];
    void *text;
    size_t len;
    int rc = read_file(dir, name, OL_STATE_ENTRY_MAX, &text, &len);

    if (rc < 0)
        return rc;
    rc = ol_state_entry_parse(text, len, ret, NULL);
    free(text);
    if (rc < 0)
        return rc;
    ol_state_entry_name(should, ret->path);
    return strcmp(name, should) == 0 ? 0 : -EBADMSG;
}

static int
table_load(int dir, const struct ol_state_entry *entry, uint64_t size,
           struct ol_digest *ret)
{
    char name[OL_STATE_NAME_MAX];
    uint32_t count = ol_piece_count(size);
    size_t max = (size_t)ol_state_metalink_offset(size);
    void *data;
    size_t len;
    int rc;

    if (count <= OL_METALINK_PIECES)
        max += (size_t)count * METALINK_PER_PIECE + METALINK_REST;
    ol_state_table_name(name, entry->root);
    rc = read_file(dir, name, max, &data, &len);
    if (rc < 0)
        return rc;
    rc = ol_state_table_parse(data, len, size, entry, ret, NULL);
    free(data);
    return rc;
}

int
ol_state_load(const char *dir, const char *path,
              const struct ol_version *version, struct ol_digest *ret)
{
    char name[OL_STATE_NAME_MAX], now[OL_STATE_VERSION_MAX];
    struct ol_state_entry *entry;
    int fd, rc;

    entry = malloc(sizeof(*entry));
    if (entry == NULL)
        return -ENOMEM;
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        free(entry);
        return -ENOENT;
    }
    ol_state_entry_name(name, path);
    ol_state_version_text(now, version);
    rc = ol_state_entry_load(fd, name, entry);
    if (rc == 0 &&
        (strcmp(entry->path, path) != 0 || strcmp(entry->version, now) != 0))
        rc = -ENOENT;
    if (rc == 0)
        rc = table_load(fd, entry, (uint64_t)version->size, ret);
    close(fd);
    free(entry);
    return rc == 0 || rc == -ENOMEM ? rc : -ENOENT;
}

static int
write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

/* A file is written from several. */
struct part {
    const void *data;
    size_t len;
};

static int
write_parts(int fd, const struct stat *folder, const struct part *parts,
            unsigned count, bool durable)
{
    if (geteuid() == 0 && fchown(fd, folder->st_uid, folder->st_gid) < 0)
        return -errno;
    for (unsigned i = 0; i < count; i++) {
        int rc = write_all(fd, parts[i].data, parts[i].len);

        if (rc < 0)
            return rc;
    }
    return durable && fsync(fd) < 0 ? -errno : 0;
}

static int
write_file(int dir, const char *name, const struct part *parts, unsigned count,
           bool durable)
{
    char temp[OL_STATE_NAME_MAX];
    struct stat folder;
    uint64_t random;
    int fd, rc;

    if (fstat(dir, &folder) < 0)
        return -errno;
    /* Others write here, too, from other machines perhaps. */
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        return -EIO;
    snprintf(temp, sizeof(temp), "%016jx.temp", (uintmax_t)random);
    fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    rc = write_parts(fd, &folder, parts, count, durable);
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && renameat(dir, temp, dir, name) < 0)
        rc = -errno;
    if (rc < 0)
        (void)unlinkat(dir, temp, 0);
    return rc;
}

static int
table_save(int dir, const struct ol_digest *digest, bool durable)
{
    char name[OL_STATE_NAME_MAX];
    size_t sha1 = (size_t)ol_state_sha1_offset(digest->size);
    size_t metalink = (size_t)ol_state_metalink_offset(digest->size);
    struct part parts[3] = {{digest->table, sha1},
                            {digest->sha1, metalink - sha1}};
    char *pieces;
    int rc;

    if (ol_metalink_pieces(digest, &pieces, &parts[2].len) < 0)
        return -ENOMEM;
    parts[2].data = pieces;
    ol_state_table_name(name, digest->root);
    rc = write_file(dir, name, parts, 3, durable);
    free(pieces);
    return rc;
}

static int
entry_save(int dir, const char *path, const struct ol_version *version,
           const struct ol_digest *digest, bool durable)
{
    const char *slash = strrchr(path, '/');
    char name[OL_STATE_NAME_MAX];
    struct ol_state_entry *entry;
    struct part part;
    char *text = NULL;
    int rc;

    entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return -ENOMEM;
    strcpy(entry->path, path); /* the caller has looked at its length */
    ol_state_version_text(entry->version, version);
    memcpy(entry->root, digest->root, OL_HASH_BYTES);
    memcpy(entry->sha256, digest->sha256, OL_HASH_BYTES);
    rc = ol_torrent_infohash(slash != NULL ? slash + 1 : path, digest->size,
                             digest->sha1, entry->infohash);
    if (rc == 0)
        rc = ol_state_entry_text(entry, &text, &part.len);
    if (rc == 0) {
        part.data = text;
        ol_state_entry_name(name, path);
        rc = write_file(dir, name, &part, 1, durable);
    }
    free(text);
    free(entry);
    return rc;
}

int
ol_state_save(const char *dir, const char *path,
              const struct ol_version *version, const struct ol_digest *digest,
              bool durable, struct ol_error *err)
{
    int fd, rc;

    if (strlen(path) >= OL_STATE_PATH_MAX)
        return ol_error_set(err, ENAMETOOLONG, "%s: %s", path,
                            strerror(ENAMETOOLONG));
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ol_error_set(err, errno, "%s: %s", dir, strerror(errno));
    rc = table_save(fd, digest, durable);
    if (rc == 0)
        rc = entry_save(fd, path, version, digest, durable);
    if (rc == 0 && durable && fsync(fd) < 0)
        rc = -errno;
    if (rc < 0)
        ol_error_set(err, -rc, "writing a file: %s", strerror(-rc));
    close(fd);
    return rc;
}

int
ol_state_sync(const char *dir, struct ol_error *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

    if (fd < 0 || syncfs(fd) < 0)
        rc = ol_error_set(err, errno, "%s: %s", dir, strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

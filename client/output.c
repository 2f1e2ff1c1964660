/*
 * The file or pipe that a download goes to, and the thread that follows in
 * order behind it.
 *
 * Owns FILE.part, FILE.part.etag and the buffers of a pipe.  What is in
 * FILE.part is believed only after its pieces were hashed again, so it needs
 * no list of what is there.  Knows nothing of sources.
 */
#include "client/output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "offload/bitmap.h"

#define JOB_BYTES (4u << 20) /* of a file, hashed in one go */
#define READ_BYTES (128u << 10)
#define STREAM_FULL (4u << 20) /* waiting to go out: more only later */
#define STOP_POLL_MS 100
#define NOTE_MAX 9000 /* URL, ETag */

struct job { /* what the thread behind is at; the loop keeps off */
    uint64_t pos;
    size_t len;
    uint8_t *data; /* of a pipe, owned; NULL: read the file */
    int error;
};

struct output {
    uv_loop_t *loop;
    void (*on_progress)(void *arg);
    void *arg;
    bool pipe;
    int fd;
    char *path, *part, *note;

    uint64_t size;
    uint32_t piece_size;
    struct ol_bitmap kept; /* pieces */
    bool pieces;           /* begun with pieces, not as a stream */
    uint32_t slot_count;   /* of a pipe: pieces in the buffer */
    uint8_t **slots;       /* by piece % slot_count */
    uint8_t *pending;      /* of a pipe's stream */
    size_t pending_len;
    uint64_t stream_pos;

    uv_work_t work;
    bool working;
    atomic_bool stopped;
    struct job job;
    uint64_t followed; /* bytes that the thread behind has dealt with */
    EVP_MD_CTX *sha;
    uint8_t *read_buffer;
    int error;
};

/* The thread behind */

/* Never sleeps in write(2), where a stopped reader would hold it for ever. */
static int
write_pipe(const struct output *out, const uint8_t *data, size_t len)
{
    while (len > 0) {
        struct pollfd ready = {.fd = out->fd, .events = POLLOUT};
        ssize_t n = poll(&ready, 1, STOP_POLL_MS);

        if (atomic_load(&out->stopped))
            return -EINTR;
        if (n > 0)
            n = write(out->fd, data, len < PIPE_BUF ? len : PIPE_BUF);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

static int
read_exactly(int fd, uint8_t *data, size_t len, uint64_t pos)
{
    while (len > 0) {
        ssize_t n = pread(fd, data, len, (off_t)pos);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        data += n;
        pos += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

static int
hash_file(struct output *out, uint64_t pos, size_t len)
{
    uint64_t end = pos + len;
    int rc;

    for (uint64_t at = pos; at < end; at += READ_BYTES) {
        size_t n = end - at < READ_BYTES ? (size_t)(end - at) : READ_BYTES;

        rc = read_exactly(out->fd, out->read_buffer, n, at);
        if (rc != 0)
            return rc;
        if (EVP_DigestUpdate(out->sha, out->read_buffer, n) != 1)
            return -ENOMEM;
    }
    /* Begin writing to disk, so that the sync at the end is short. */
    sync_file_range(out->fd, (off_t)pos, (off_t)len, SYNC_FILE_RANGE_WRITE);
    return 0;
}

static void
job_run(uv_work_t *work)
{
    struct output *out = work->data;
    struct job *job = &out->job;

    if (job->data == NULL) {
        job->error = hash_file(out, job->pos, job->len);
        return;
    }
    job->error = write_pipe(out, job->data, job->len);
    if (job->error == 0 && EVP_DigestUpdate(out->sha, job->data, job->len) != 1)
        job->error = -ENOMEM;
}

/* What comes next in order; false: nothing yet. */
static bool
job_next(struct output *out)
{
    struct job *job = &out->job;
    uint32_t piece, end;
    uint64_t limit;

    *job = (struct job){.pos = out->followed};
    if (!out->pieces) {
        job->data = out->pending;
        job->len = out->pending_len;
        out->pending = NULL;
        out->pending_len = 0;
        return job->len > 0;
    }
    if (out->followed == out->size)
        return false;
    piece = (uint32_t)(out->followed / out->piece_size);
    if (out->pipe) {
        if (!ol_bitmap_get(&out->kept, piece))
            return false;
        job->data = out->slots[piece % out->slot_count];
        out->slots[piece % out->slot_count] = NULL;
        job->len = ol_piece_length(out->size, piece);
        return true;
    }
    end = ol_bitmap_find(&out->kept, piece, false);
    limit = (uint64_t)end * out->piece_size;
    if (limit > out->size)
        limit = out->size;
    if (limit <= out->followed)
        return false;
    limit -= out->followed;
    job->len = limit < JOB_BYTES ? (size_t)limit : JOB_BYTES;
    return true;
}

static void job_done(uv_work_t *work, int status);

static void
follow(struct output *out)
{
    if (out->working || out->error != 0 || !job_next(out))
        return;
    out->work.data = out;
    out->working = uv_queue_work(out->loop, &out->work, job_run, job_done) == 0;
    if (!out->working) {
        free(out->job.data);
        out->error = -ENOMEM;
    }
}

static void
job_done(uv_work_t *work, int status)
{
    struct output *out = work->data;

    (void)status;
    out->working = false;
    free(out->job.data);
    if (out->job.error != 0)
        out->error = out->job.error;
    else
        out->followed += out->job.len;
    follow(out);
    out->on_progress(out->arg);
}

/* Opening and closing */

static int
open_pipe(struct output *out, const char *path, struct ol_error *err)
{
    out->pipe = true;
    if (strcmp(path, "-") == 0)
        out->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    else
        out->fd = open(path, O_WRONLY | O_CLOEXEC);
    if (out->fd < 0)
        return ol_error_set(err, errno, "%s: %s", path, strerror(errno));
    return 0;
}

/* In a shared folder anybody can have put it there, to read or change later
   what is then under its final name, or to have another file overwritten. */
static int
check_found(const struct output *out, const struct stat *st,
            struct ol_error *err)
{
    if (!S_ISREG(st->st_mode))
        return ol_error_set(err, EINVAL, "%s: not a regular file", out->part);
    if (st->st_uid != geteuid())
        return ol_error_set(err, EPERM,
                            "%s: is another user's; remove it, or name another "
                            "file with -o",
                            out->part);
    if (st->st_nlink > 1)
        return ol_error_set(err, EPERM,
                            "%s: has another name too (a hard link); remove it",
                            out->part);
    return 0;
}

/* A download that ended just now has given the file its final name. */
static bool
still_part(const struct output *out, const struct stat *st)
{
    struct stat now;

    return lstat(out->part, &now) == 0 && now.st_dev == st->st_dev &&
           now.st_ino == st->st_ino;
}

static int
open_part(struct output *out, struct ol_error *err)
{
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
    struct stat st;
    bool found;
    int rc;

    out->fd = open(out->part, flags | O_CREAT | O_EXCL, 0666);
    found = out->fd < 0 && errno == EEXIST;
    if (found)
        out->fd = open(out->part, flags | O_NONBLOCK);
    if (out->fd < 0 || fstat(out->fd, &st) < 0)
        return ol_error_set(err, errno, "%s: %s", out->part, strerror(errno));
    rc = found ? check_found(out, &st, err) : 0;
    if (rc != 0)
        return rc;
    if (flock(out->fd, LOCK_EX | LOCK_NB) < 0 || !still_part(out, &st))
        return ol_error_set(err, EBUSY, "%s: another download is writing to it",
                            out->part);
    return 0;
}

static int
open_file(struct output *out, const char *path, struct ol_error *err)
{
    char real[PATH_MAX];

    /* A link stays one: what it points to is replaced. */
    out->path = strdup(realpath(path, real) != NULL ? real : path);
    if (out->path == NULL || asprintf(&out->part, "%s.part", out->path) < 0)
        return ol_error_set(err, ENOMEM, "%s: no memory", path);
    if (asprintf(&out->note, "%s.etag", out->part) < 0)
        return ol_error_set(err, ENOMEM, "%s: no memory", path);
    return open_part(out, err);
}

int
output_open(uv_loop_t *loop, const char *path, void (*on_progress)(void *arg),
            void *arg, struct output **ret, struct ol_error *err)
{
    struct output *out = calloc(1, sizeof(*out));
    struct stat st;
    int rc = -ENOMEM;

    if (out == NULL)
        return ol_error_set(err, ENOMEM, "no memory");
    out->loop = loop;
    out->on_progress = on_progress;
    out->arg = arg;
    out->fd = -1;
    out->sha = EVP_MD_CTX_new();
    out->read_buffer = malloc(READ_BYTES);
    if (out->sha == NULL || out->read_buffer == NULL)
        ol_error_set(err, ENOMEM, "no memory");
    else if (strcmp(path, "-") == 0 ||
             (stat(path, &st) == 0 && !S_ISREG(st.st_mode)))
        rc = open_pipe(out, path, err);
    else
        rc = open_file(out, path, err);
    if (rc != 0) {
        output_close(out);
        return rc;
    }
    *ret = out;
    return 0;
}

static void
forget_content(struct output *out)
{
    for (uint32_t i = 0; i < out->slot_count; i++)
        free(out->slots[i]);
    free(out->slots);
    out->slots = NULL;
    out->slot_count = 0;
    free(out->pending);
    out->pending = NULL;
    out->pending_len = 0;
    ol_bitmap_clear(&out->kept);
    out->followed = 0;
}

void
output_close(struct output *out)
{
    if (out == NULL)
        return;
    forget_content(out);
    if (out->fd >= 0)
        close(out->fd);
    EVP_MD_CTX_free(out->sha);
    free(out->read_buffer);
    free(out->path);
    free(out->part);
    free(out->note);
    free(out);
}

/* Pieces */

int
output_begin_pieces(struct output *out, uint64_t size, struct ol_error *err)
{
    forget_content(out);
    out->pieces = true;
    out->size = size;
    out->piece_size = ol_piece_size(size);
    if (EVP_DigestInit_ex(out->sha, EVP_sha256(), NULL) != 1 ||
        ol_bitmap_init(&out->kept, ol_piece_count(size)) != 0)
        return ol_error_set(err, ENOMEM, "no memory");
    if (out->pipe) {
        out->slot_count = OUTPUT_BUFFER / out->piece_size;
        out->slots = calloc(out->slot_count, sizeof(*out->slots));
        return out->slots != NULL ? 0 : ol_error_set(err, ENOMEM, "no memory");
    }
    unlink(out->note);
    if (ftruncate(out->fd, (off_t)size) < 0)
        return ol_error_set(err, errno, "%s: %s", out->part, strerror(errno));
    return 0;
}

bool
output_recall(struct output *out, const uint8_t *table, uint32_t piece)
{
    uint64_t pos = (uint64_t)piece * out->piece_size;
    uint32_t len = ol_piece_length(out->size, piece);
    off_t data;
    uint8_t *buffer;
    bool right;

    if (out->pipe)
        return false;
    data = lseek(out->fd, (off_t)pos, SEEK_DATA);
    if (data < 0 || (uint64_t)data >= pos + len)
        return false; /* a hole */
    buffer = malloc(len);
    if (buffer == NULL)
        return false;
    right = read_exactly(out->fd, buffer, len, pos) == 0 &&
            ol_piece_check(table, out->size, piece, buffer, len) == 0;
    free(buffer);
    if (right)
        output_keep(out, piece);
    return right;
}

static int
write_at(int fd, const uint8_t *data, size_t len, uint64_t pos)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, data, len, (off_t)pos);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        pos += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

int
output_put(struct output *out, uint64_t pos, const void *data, size_t len)
{
    uint32_t piece = (uint32_t)(pos / out->piece_size);
    uint8_t **slot;

    if (!out->pipe)
        return write_at(out->fd, data, len, pos);
    slot = &out->slots[piece % out->slot_count];
    if (*slot == NULL)
        *slot = malloc(ol_piece_length(out->size, piece));
    if (*slot == NULL)
        return -ENOMEM;
    memcpy(*slot + pos % out->piece_size, data, len);
    return 0;
}

void
output_keep(struct output *out, uint32_t piece)
{
    ol_bitmap_put(&out->kept, piece, true);
    follow(out);
}

uint32_t
output_window(const struct output *out)
{
    if (!out->pipe)
        return out->kept.count;
    return (uint32_t)(out->followed / out->piece_size) + out->slot_count;
}

int
output_sha256(struct output *out, uint8_t ret[OL_HASH_BYTES])
{
    return EVP_DigestFinal_ex(out->sha, ret, NULL) == 1 ? 0 : -ENOMEM;
}

/* Streams */

uint64_t
output_resume_at(struct output *out, const char *url, char *ret_etag,
                 size_t cap)
{
    char note[NOTE_MAX];
    char *newline;
    struct stat st;
    ssize_t n;
    int fd;

    if (out->pipe)
        return 0;
    fd = open(out->note, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return 0;
    n = read(fd, note, sizeof(note) - 1);
    /* Of a shared folder: another user's word on what is in our FILE.part. */
    if (fstat(fd, &st) < 0 || st.st_uid != geteuid())
        n = -1;
    close(fd);
    if (n <= 0)
        return 0;
    note[n] = '\0';
    newline = strchr(note, '\n');
    if (newline == NULL || strlen(newline + 1) >= cap || newline[1] == '\0')
        return 0;
    *newline = '\0';
    if (strcmp(note, url) != 0 || fstat(out->fd, &st) < 0)
        return 0;
    snprintf(ret_etag, cap, "%s", newline + 1);
    return (uint64_t)st.st_size;
}

/* For the next time; without it, that one just begins anew. */
static void
write_note(const struct output *out, const char *url, const char *etag)
{
    int fd;

    unlink(out->note);
    if (etag[0] == '\0')
        return;
    fd = open(out->note, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return;
    if (dprintf(fd, "%s\n%s", url, etag) < 0)
        unlink(out->note);
    close(fd);
}

int
output_begin_stream(struct output *out, uint64_t offset, const char *url,
                    const char *etag, struct ol_error *err)
{
    if (out->pipe && offset > 0)
        return 0; /* goes on behind what waits to go out */
    forget_content(out);
    out->pieces = false;
    out->stream_pos = offset;
    if (EVP_DigestInit_ex(out->sha, EVP_sha256(), NULL) != 1)
        return ol_error_set(err, ENOMEM, "no memory");
    if (out->pipe)
        return 0;
    if (ftruncate(out->fd, (off_t)offset) < 0)
        return ol_error_set(err, errno, "%s: %s", out->part, strerror(errno));
    write_note(out, url, etag);
    return 0;
}

int
output_append(struct output *out, const void *data, size_t len)
{
    uint8_t *more;
    int rc;

    if (!out->pipe) {
        rc = write_at(out->fd, data, len, out->stream_pos);
        if (rc == 0)
            out->stream_pos += len;
        return rc;
    }
    more = realloc(out->pending, out->pending_len + len);
    if (more == NULL)
        return -ENOMEM;
    memcpy(more + out->pending_len, data, len);
    out->pending = more;
    out->pending_len += len;
    follow(out);
    return 0;
}

bool
output_is_full(const struct output *out)
{
    return out->pending_len >= STREAM_FULL;
}

/* Both */

bool
output_is_drained(const struct output *out)
{
    if (out->working)
        return false;
    return out->pieces ? out->followed == out->size : out->pending_len == 0;
}

int
output_error(const struct output *out)
{
    return out->error;
}

bool
output_is_busy(const struct output *out)
{
    return out->working;
}

void
output_stop(struct output *out)
{
    atomic_store(&out->stopped, true);
}

bool
output_is_untouched(const struct output *out)
{
    return !out->pipe || (out->followed == 0 && !out->working);
}

bool
output_is_pipe(const struct output *out)
{
    return out->pipe;
}

static int
sync_folder(const char *path)
{
    char *copy = strdup(path);
    int fd, rc = 0;

    if (copy == NULL)
        return -ENOMEM;
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    if (fd < 0)
        return -errno;
    if (fsync(fd) < 0 && errno != EINVAL) /* not on every file system */
        rc = -errno;
    close(fd);
    return rc;
}

int
output_commit(struct output *out, struct ol_error *err)
{
    if (out->pipe)
        return 0;
    if (fsync(out->fd) < 0)
        return ol_error_set(err, errno, "%s: %s", out->part, strerror(errno));
    if (rename(out->part, out->path) < 0)
        return ol_error_set(err, errno, "%s: %s", out->path, strerror(errno));
    unlink(out->note);
    if (sync_folder(out->path) != 0)
        return ol_error_set(err, EIO, "%s: its folder cannot be synced",
                            out->path);
    return 0;
}

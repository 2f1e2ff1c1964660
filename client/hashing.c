/*
 * One file, from its path to what is kept of it.
 *
 * Owns the order of looking and reading that makes sure that what is kept is
 * of one version.  Knows nothing of other files.
 */
#include "client/hashing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "offload/state.h"

#define BUFFER (256u << 10)
#define TRIES 3
#define NAP_MS 50

/* By errno. */
static enum hashing
unreadable(struct ol_error *err)
{
    if (errno == ENOENT || errno == ENOTDIR)
        return HASHING_GONE;
    ol_error_set(err, errno, "%s", strerror(errno));
    return HASHING_UNREADABLE;
}

/* A change within a clock's tick of the last one would leave no trace. */
static enum hashing
wait_until_old(const struct hashing_job *job, const struct ol_version *version)
{
    while (ol_version_young(version, time(NULL))) {
        if (atomic_load(job->stop))
            return HASHING_STOPPED;
        nanosleep(&(struct timespec){.tv_nsec = NAP_MS * 1000000L}, NULL);
    }
    return HASHING_DONE;
}

static enum hashing
read_whole(struct hashing_job *job, int fd, struct ol_hasher *hasher,
           uint8_t *buf, uint64_t *done, struct ol_error *err)
{
    for (;;) {
        ssize_t n = read(fd, buf, BUFFER);

        if (atomic_load(job->stop))
            return HASHING_STOPPED;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return unreadable(err);
        if (n == 0)
            return HASHING_DONE;
        if (ol_hasher_update(hasher, buf, (size_t)n) < 0)
            return HASHING_CHANGED; /* longer than it was */
        *done += (uint64_t)n;
        atomic_fetch_add(job->hashed, (unsigned long long)n);
    }
}

/* What was read is what the path leads to, and it is as it was. */
static bool
is_still(const char *path, const struct ol_version *version)
{
    struct ol_version now;
    struct stat st;

    if (stat(path, &st) < 0)
        return false;
    ol_version_of(&st, &now);
    return ol_version_same(&now, version);
}

static enum hashing
hash(struct hashing_job *job, int fd, const struct ol_version *version,
     struct ol_error *err)
{
    struct ol_digest digest = {0};
    struct ol_hasher *hasher = NULL;
    uint8_t *buf = malloc(BUFFER);
    uint64_t done = 0;
    enum hashing got = HASHING_UNREADABLE;

    if (buf == NULL || ol_hasher_create((uint64_t)version->size, &hasher) < 0) {
        ol_error_set(err, ENOMEM, "no memory, or too large");
        goto out;
    }
    if (job->spread)
        (void)ol_hasher_spread(hasher);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    got = read_whole(job, fd, hasher, buf, &done, err);
    if (got == HASHING_DONE && (!is_still(job->path, version) ||
                                ol_hasher_finish(hasher, &digest) < 0))
        got = HASHING_CHANGED;
    if (got == HASHING_DONE &&
        ol_state_save(job->state, job->path, version, &digest, false, err) < 0)
        got = HASHING_UNKEPT;
    if (got != HASHING_DONE)
        atomic_fetch_sub(job->hashed, done);
out:
    ol_digest_clear(&digest);
    ol_hasher_free(hasher);
    free(buf);
    return got;
}

static enum hashing
try_once(struct hashing_job *job, struct ol_error *err)
{
    struct ol_version version;
    struct ol_digest kept;
    struct stat st;
    enum hashing got;
    int fd = open(job->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return unreadable(err);
    if (fstat(fd, &st) < 0) {
        got = unreadable(err);
        goto out;
    }
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < job->min_length) {
        got = HASHING_GONE;
        goto out;
    }
    ol_version_of(&st, &version);
    job->size = (uint64_t)st.st_size;
    if (ol_state_load(job->state, job->path, &version, &kept) == 0) {
        ol_digest_clear(&kept);
        got = HASHING_KEPT;
        goto out;
    }
    got = wait_until_old(job, &version);
    if (got == HASHING_DONE)
        got = hash(job, fd, &version, err);
out:
    close(fd);
    return got;
}

enum hashing
hashing_run(struct hashing_job *job, struct ol_error *err)
{
    enum hashing got = HASHING_CHANGED;

    for (unsigned i = 0; i < TRIES && got == HASHING_CHANGED; i++)
        got = try_once(job, err);
    if (got == HASHING_CHANGED)
        ol_error_set(err, EAGAIN, "changed while it was read, %d times", TRIES);
    return got;
}

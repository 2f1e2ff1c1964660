/*
 * What nobody uses any more in the folder of what is kept: see state.h.
 *
 * The mark is a file's mtime, renewed when it is half as old as it may get.
 * That costs little, lasts over restarts, and leaves alone what was just
 * written.  A path that cannot be looked at (a file system that is not
 * mounted, say) is no reason to forget what took hours to compute: hence a
 * day, not minutes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "offload/state.h"

#define MARK_AGE (OL_STATE_KEEP / 2)

struct ol_collector {
    DIR *dir;
    char *under; /* without final slashes; NULL: any */
    time_t now;
    bool sweeping; /* tables, once all entries were seen */
    bool unmarked; /* a table in use has kept an old mark */
    struct ol_collected result;
    struct ol_state_entry entry;
};

int
ol_collector_create(const char *dir, const char *under, time_t now,
                    struct ol_collector **ret, struct ol_error *err)
{
    struct ol_collector *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return ol_error_set(err, ENOMEM, "%s: out of memory", dir);
    if (under != NULL) {
        size_t len = strlen(under);

        while (len > 0 && under[len - 1] == '/')
            len--;
        c->under = strndup(under, len);
        if (c->under == NULL) {
            ol_collector_free(c);
            return ol_error_set(err, ENOMEM, "%s: out of memory", dir);
        }
    }
    c->now = now;
    c->dir = opendir(dir);
    if (c->dir == NULL) {
        int code = errno;

        ol_collector_free(c);
        return ol_error_set(err, code, "%s: %s", dir, strerror(code));
    }
    *ret = c;
    return 0;
}

void
ol_collector_free(struct ol_collector *collector)
{
    if (collector == NULL)
        return;
    if (collector->dir != NULL)
        closedir(collector->dir);
    free(collector->under);
    free(collector);
}

struct ol_collected
ol_collector_result(const struct ol_collector *collector)
{
    return collector->result;
}

/* Seconds since its mark, 0 if that is in the future; -errno. */
static long long
mark_age(const struct ol_collector *c, const char *name)
{
    struct stat st;

    if (fstatat(dirfd(c->dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    return st.st_mtime < c->now ? (long long)(c->now - st.st_mtime) : 0;
}

/* -ENOENT: there is no such file. */
static int
mark(const struct ol_collector *c, const char *name)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = c->now}};
    long long age = mark_age(c, name);

    if (age < 0)
        return (int)age;
    if (age >= MARK_AGE &&
        utimensat(dirfd(c->dir), name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return 0;
}

/* If its mark is old. */
static int
sweep(struct ol_collector *c, const char *name)
{
    long long age = mark_age(c, name);

    if (age >= OL_STATE_KEEP) {
        if (unlinkat(dirfd(c->dir), name, 0) < 0)
            return errno == ENOENT ? 0 : -errno;
        c->result.removed++;
    }
    return age < 0 && age != -ENOENT ? (int)age : 0;
}

static bool
is_under(const struct ol_collector *c, const char *path)
{
    size_t len;

    if (c->under == NULL)
        return true;
    len = strlen(c->under);
    return strncmp(path, c->under, len) == 0 &&
           (path[len] == '/' || path[len] == '\0');
}

/* Does the path lead to the version that the entry is of? */
static bool
entry_alive(const struct ol_collector *c)
{
    char now[OL_STATE_VERSION_MAX];
    struct ol_version version;
    struct stat st;

    if (!is_under(c, c->entry.path))
        return true;
    if (stat(c->entry.path, &st) < 0)
        return errno != ENOENT && errno != ENOTDIR;
    ol_version_of(&st, &version);
    ol_state_version_text(now, &version);
    return strcmp(now, c->entry.version) == 0;
}

static int
entry_visit(struct ol_collector *c, const char *name)
{
    char table[OL_STATE_NAME_MAX];
    int rc = ol_state_entry_load(dirfd(c->dir), name, &c->entry);

    if (rc == -EBADMSG || rc == -ELOOP) /* a link: not ours, or no more */
        return sweep(c, name);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    if (!entry_alive(c))
        return sweep(c, name);

    ol_state_table_name(table, c->entry.root);
    rc = mark(c, table);
    if (rc == -ENOENT || rc == -EISDIR) /* of no use without */
        return sweep(c, name);
    if (rc < 0)
        c->unmarked = true;
    else
        rc = mark(c, name);
    c->result.entries++;
    return rc == -ENOENT ? 0 : rc;
}

static bool
has_suffix(const char *name, const char *suffix)
{
    size_t len = strlen(name), end = strlen(suffix);

    return len > end && strcmp(name + len - end, suffix) == 0;
}

static int
visit(struct ol_collector *c, const char *name)
{
    if (has_suffix(name, ".file"))
        return c->sweeping ? 0 : entry_visit(c, name);
    if (has_suffix(name, ".table") || has_suffix(name, ".temp"))
        return c->sweeping ? sweep(c, name) : 0;
    return 0; /* not ours */
}

static void
pass_over(struct ol_collector *c, const char *name, int code)
{
    if (c->result.failed++ == 0)
        ol_error_set(&c->result.reason, code, "%s: %s", name, strerror(code));
}

/* Of this process, or of the machine: it says nothing of one file. */
static bool
is_general(int code)
{
    return code == ENOMEM || code == EMFILE || code == ENFILE;
}

/* 1: one more; 0: there was none; -errno. */
static int
step(struct ol_collector *c, struct ol_error *err)
{
    struct dirent *found;
    int rc;

    errno = 0;
    found = readdir(c->dir);
    if (found == NULL && errno != 0)
        return ol_error_set(err, errno, "reading the folder: %s",
                            strerror(errno));
    if (found == NULL) {
        if (c->sweeping || c->unmarked)
            return 0;
        c->sweeping = true;
        rewinddir(c->dir);
        return 1;
    }
    rc = visit(c, found->d_name);
    if (is_general(-rc))
        return ol_error_set(err, -rc, "%s: %s", found->d_name, strerror(-rc));
    if (rc < 0)
        pass_over(c, found->d_name, -rc);
    return 1;
}

int
ol_collector_step(struct ol_collector *collector, unsigned max,
                  struct ol_error *err)
{
    int rc = 1;

    while (rc > 0 && max-- > 0)
        rc = step(collector, err);
    return rc;
}

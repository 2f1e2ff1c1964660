/*
 * The files of a folder.
 *
 * Owns which of them are looked at.  Opens none.
 */
#include "client/tree.h"

#include <errno.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 64 /* links can make a folder seem endless */

/* Takes the dots and the double slashes out of an absolute path, in place. */
static void
resolve(char *path)
{
    char *end = path;
    const char *p = path;

    while (*p != '\0') {
        size_t len = strcspn(p, "/");

        if (len == 2 && p[0] == '.' && p[1] == '.') {
            while (end > path && *--end != '/')
                ;
        } else if (len > 0 && !(len == 1 && p[0] == '.')) {
            *end++ = '/';
            memmove(end, p, len);
            end += len;
        }
        p += len;
        p += strspn(p, "/");
    }
    if (end == path)
        *end++ = '/';
    *end = '\0';
}

char *
tree_absolute(const char *path)
{
    char *here = NULL, *whole = NULL;

    if (path[0] == '/') {
        whole = strdup(path);
    } else {
        here = get_current_dir_name();
        if (here != NULL && asprintf(&whole, "%s/%s", here, path) < 0)
            whole = NULL;
        free(here);
    }
    if (whole != NULL)
        resolve(whole);
    return whole;
}

static int
add(struct tree *tree, const char *path, uint64_t size)
{
    if (tree->count == TREE_FILES_MAX)
        return -E2BIG;
    if (tree->count == tree->cap) {
        size_t cap = tree->cap == 0 ? 256 : tree->cap * 2;
        struct tree_file *files =
            reallocarray(tree->files, cap, sizeof(*files));

        if (files == NULL)
            return -ENOMEM;
        tree->files = files;
        tree->cap = cap;
    }
    tree->files[tree->count].path = strdup(path);
    if (tree->files[tree->count].path == NULL)
        return -ENOMEM;
    tree->files[tree->count++].size = size;
    tree->bytes += size;
    return 0;
}

static bool
stays_in(const char *link, const char *root)
{
    char *end = realpath(link, NULL);
    size_t len = strlen(root);
    bool in = end != NULL && strncmp(end, root, len) == 0 &&
              (end[len] == '/' || end[len] == '\0' || len == 1);

    free(end);
    return in;
}

void
tree_clear(struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        free(tree->files[i].path);
    free(tree->files);
    memset(tree, 0, sizeof(*tree));
}

struct reading {
    struct tree *tree;
    uint64_t min;
    char *root; /* without links */
    void (*complain)(void *arg, const char *path, int code);
    void *arg;
};

static int
visit(struct reading *reading, FTS *fts, FTSENT *found)
{
    bool hidden = found->fts_level > 0 && found->fts_name[0] == '.';

    switch (found->fts_info) {
    case FTS_D:
        if (hidden || found->fts_level > DEPTH_MAX)
            fts_set(fts, found, FTS_SKIP);
        return 0;
    case FTS_F:
        if (hidden || (uint64_t)found->fts_statp->st_size < reading->min)
            return 0;
        return add(reading->tree, found->fts_path,
                   (uint64_t)found->fts_statp->st_size);
    case FTS_SL:
        if (!hidden && stays_in(found->fts_path, reading->root))
            fts_set(fts, found, FTS_FOLLOW);
        return 0;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        if (found->fts_errno != ENOENT || found->fts_level == 0)
            reading->complain(reading->arg, found->fts_path, found->fts_errno);
        return 0;
    default: /* an end, a loop, a link that leads nowhere, a device */
        return 0;
    }
}

int
tree_read(struct tree *tree, const char *path, uint64_t min,
          void (*complain)(void *arg, const char *path, int code), void *arg)
{
    struct reading reading = {
        .tree = tree, .min = min, .complain = complain, .arg = arg};
    char *copy = strdup(path), *roots[2] = {copy, NULL};
    FTS *fts = NULL;
    FTSENT *found;
    int rc = 0;

    reading.root = realpath(path, NULL);
    if (copy == NULL || reading.root == NULL) {
        rc = -errno;
        goto out;
    }
    fts = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    if (fts == NULL) {
        rc = -errno;
        goto out;
    }
    while (rc == 0 && (errno = 0, found = fts_read(fts)) != NULL)
        rc = visit(&reading, fts, found);
    if (rc == 0 && errno != 0)
        rc = -errno;
out:
    if (fts != NULL)
        fts_close(fts);
    free(reading.root);
    free(copy);
    return rc;
}

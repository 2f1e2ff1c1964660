/*
 * The files of a folder.
 *
 * Owns which of them are looked at.  Opens none.
 */
#include "client/tree.h"

#include <errno.h>
#include <fts.h>
#include <search.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 64 /* links can make a folder seem endless */
#define BY_LINK 1    /* fts_number */

char *
tree_absolute(const char *path)
{
    char *here = NULL, *whole = NULL;
    size_t len;

    if (path[0] == '/') {
        whole = strdup(path);
    } else {
        here = get_current_dir_name();
        if (here != NULL && asprintf(&whole, here[1] == '\0' ? "%s%s" : "%s/%s",
                                     here, path) < 0)
            whole = NULL;
        free(here);
    }
    if (whole == NULL)
        return NULL;
    len = strlen(whole);
    while (len > 1 && whole[len - 1] == '/')
        whole[--len] = '\0';
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

/* A folder, and how often a link led to it. */
struct entered {
    dev_t dev;
    ino_t ino;
    unsigned count;
};

struct reading {
    struct tree *tree;
    uint64_t min;
    char *root;    /* without links */
    void *entered; /* a tree of them, as tsearch() makes */
    const struct tree_watch *watch;
};

static int
entered_compare(const void *a, const void *b)
{
    const struct entered *x = a, *y = b;

    if (x->dev != y->dev)
        return x->dev < y->dev ? -1 : 1;
    return x->ino < y->ino ? -1 : x->ino > y->ino;
}

/* 1: once more by a link; 0: it has been often enough; -ENOMEM. */
static int
enter(struct reading *reading, const struct stat *st)
{
    struct entered key = {.dev = st->st_dev, .ino = st->st_ino}, **found, *made;

    found = tsearch(&key, &reading->entered, entered_compare);
    if (found == NULL)
        return -ENOMEM;
    if (*found == &key) {
        made = malloc(sizeof(*made));
        if (made == NULL) {
            tdelete(&key, &reading->entered, entered_compare);
            return -ENOMEM;
        }
        *made = key;
        *found = made;
    }
    return (*found)->count++ < TREE_LINKS_MAX;
}

static int
visit_folder(struct reading *reading, FTS *fts, FTSENT *found)
{
    int rc = 1;

    if (found->fts_level > DEPTH_MAX)
        rc = 0;
    else if (found->fts_number == BY_LINK)
        rc = enter(reading, found->fts_statp);
    if (rc == 0)
        fts_set(fts, found, FTS_SKIP);
    return rc < 0 ? rc : 0;
}

static int
visit(struct reading *reading, FTS *fts, FTSENT *found)
{
    if (found->fts_level > 0 && found->fts_name[0] == '.') {
        if (found->fts_info == FTS_D)
            fts_set(fts, found, FTS_SKIP);
        return 0;
    }
    switch (found->fts_info) {
    case FTS_D:
        return visit_folder(reading, fts, found);
    case FTS_F:
        if ((uint64_t)found->fts_statp->st_size < reading->min)
            return 0;
        return add(reading->tree, found->fts_path,
                   (uint64_t)found->fts_statp->st_size);
    case FTS_SL:
        if (stays_in(found->fts_path, reading->root)) {
            found->fts_number = BY_LINK;
            fts_set(fts, found, FTS_FOLLOW);
        }
        return 0;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        if (found->fts_errno != ENOENT || found->fts_level == 0)
            reading->watch->complain(reading->watch->arg, found->fts_path,
                                     found->fts_errno);
        return 0;
    default: /* an end, a loop, a link that leads nowhere, a device */
        return 0;
    }
}

int
tree_read(struct tree *tree, const char *path, uint64_t min,
          const struct tree_watch *watch)
{
    struct reading reading = {.tree = tree, .min = min, .watch = watch};
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
        rc =
            watch->go_on(watch->arg) ? visit(&reading, fts, found) : -ECANCELED;
    if (rc == 0 && errno != 0)
        rc = -errno;
out:
    if (fts != NULL)
        fts_close(fts);
    tdestroy(reading.entered, free);
    free(reading.root);
    free(copy);
    return rc;
}

/*
 * The files of a folder that are worth indexing, by the names that nginx gives
 * them.
 */
#ifndef CLIENT_TREE_H
#define CLIENT_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_FILES_MAX 4000000 /* their names are kept in memory */
#define TREE_LINKS_MAX 8

struct tree_file {
    char *path;
    uint64_t size;
};

struct tree {
    struct tree_file *files;
    size_t count, cap;
    uint64_t bytes;
};

/*
 * A relative path behind the current folder's name; else as it is spelled, but
 * for slashes at its end: nginx resolves no "..", either, and finds what is
 * kept of a file by its path.  NULL: no memory, or no such place.
 */
char *tree_absolute(const char *path);

/* Who has a folder read. */
struct tree_watch {
    bool (*go_on)(void *arg); /* asked at each place */
    void (*complain)(void *arg, const char *path, int code);
    void *arg;
};

/*
 * Adds the regular files of at least min bytes in a folder, or a file itself.
 * What begins with a dot is left out: it is not published, or not yet.  A link
 * is followed if it stays in the folder, and TREE_LINKS_MAX of those to one
 * folder are: else a few that lead to each other have names without end.
 * complain is told what could not be looked at.  0, -errno (as -E2BIG: too
 * many; -ECANCELED: not to go on).
 */
int tree_read(struct tree *tree, const char *path, uint64_t min,
              const struct tree_watch *watch);
void tree_clear(struct tree *tree);

#endif

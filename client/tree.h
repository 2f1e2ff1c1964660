/*
 * The files of a folder that are worth indexing, by the names that nginx gives
 * them.
 */
#ifndef CLIENT_TREE_H
#define CLIENT_TREE_H

#include <stddef.h>
#include <stdint.h>

#define TREE_FILES_MAX 4000000 /* their names are kept in memory */

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
 * Of a relative path, what it is from "/" on; "//", "." and ".." are resolved
 * by name alone, as nginx knows no links.  NULL: no memory, or no such place.
 */
char *tree_absolute(const char *path);

/*
 * Adds the regular files of at least min bytes in a folder, or a file itself.
 * What begins with a dot is left out: it is not published, or not yet.  A link
 * is followed if it stays in the folder.  complain is told what could not be
 * looked at.  0, -errno (as -E2BIG: too many).
 */
int tree_read(struct tree *tree, const char *path, uint64_t min,
              void (*complain)(void *arg, const char *path, int code),
              void *arg);
void tree_clear(struct tree *tree);

#endif

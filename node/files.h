/*
 * Files and folders as the store wants them: read and written whole, synced,
 * replaced in one step.  0 or -errno.
 */
#ifndef NODE_FILES_H
#define NODE_FILES_H

#include <stddef.h>
#include <stdint.h>

int folder_open(int dir, const char *name); /* an fd */
int folder_make(int dir, const char *name); /* synced; may exist */
int folder_sync(int dir, const char *name);

int write_all(int fd, const void *data, size_t len, uint64_t offset);
/* -EBADMSG: the file ends before. */
int read_all(int fd, void *data, size_t len, uint64_t offset);

/* A file of at most max bytes, with a NUL behind it; the caller frees. */
int file_read(int dir, const char *name, size_t max, char **ret,
              size_t *ret_len);
/* Created or emptied, written, synced. */
int file_write(int dir, const char *name, const void *data, size_t len);
/* After a crash the old content is there, or the new one. */
int file_replace(int dir, const char *name, const void *data, size_t len);

#endif

/*
 * Files and folders as the store wants them (files.h).
 *
 * Owns: loops around short reads and writes, and which syncs a replacement
 * needs.  Must not know what is in the files.
 */
#include "node/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int
folder_open(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 ? fd : -errno;
}

int
folder_make(int dir, const char *name)
{
    if (mkdirat(dir, name, 0700) != 0)
        return errno == EEXIST ? 0 : -errno;
    return fsync(dir) == 0 ? 0 : -errno;
}

int
folder_sync(int dir, const char *name)
{
    int fd = folder_open(dir, name), rc;

    if (fd < 0)
        return fd;
    rc = fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    return rc;
}

int
write_all(int fd, const void *data, size_t len, uint64_t offset)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        p += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

int
read_all(int fd, void *data, size_t len, uint64_t offset)
{
    char *p = data;

    while (len > 0) {
        ssize_t n = pread(fd, p, len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EBADMSG;
        p += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

int
file_read(int dir, const char *name, size_t max, char **ret, size_t *ret_len)
{
    struct stat st;
    char *text = NULL;
    int fd, rc;

    fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    rc = fstat(fd, &st) == 0 ? 0 : -errno;
    if (rc == 0 && (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max))
        rc = -EBADMSG;
    if (rc == 0 && (text = malloc((size_t)st.st_size + 1)) == NULL)
        rc = -ENOMEM;
    if (rc == 0)
        rc = read_all(fd, text, (size_t)st.st_size, 0);
    close(fd);
    if (rc != 0) {
        free(text);
        return rc;
    }
    text[st.st_size] = '\0';
    *ret = text;
    *ret_len = (size_t)st.st_size;
    return 0;
}

int
file_write(int dir, const char *name, const void *data, size_t len)
{
    int fd, rc;

    fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    rc = write_all(fd, data, len, 0);
    if (rc == 0 && fsync(fd) != 0)
        rc = -errno;
    if (close(fd) != 0 && rc == 0)
        rc = -errno;
    return rc;
}

int
file_replace(int dir, const char *name, const void *data, size_t len)
{
    char fresh[32];
    int rc;

    snprintf(fresh, sizeof(fresh), "%s.new", name);
    rc = file_write(dir, fresh, data, len);
    if (rc == 0 && renameat(dir, fresh, dir, name) != 0)
        rc = -errno;
    if (rc == 0 && fsync(dir) != 0)
        rc = -errno;
    return rc;
}

/*
 * Private keys in files: the one place where the library touches a file.
 * Owns: what a key file must be (regular, private, small) and how one is
 * made so that it is there whole or not at all.
 */
#include "offload/key.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
keyfile_check(int fd, const char *path, struct ol_error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return ol_error_set(err, errno, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return ol_error_set(err, EINVAL, "%s: not a regular file", path);
    if ((st.st_mode & (S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH)) != 0)
        return ol_error_set(err, EACCES,
                            "%s: mode %04o lets others read or write the key; "
                            "chmod 600 it",
                            path, (unsigned)st.st_mode & 07777);
    if (st.st_size > OL_KEYFILE_MAX)
        return ol_error_set(err, EFBIG, "%s: larger than %d bytes, not a key",
                            path, OL_KEYFILE_MAX);
    return 0;
}

/* Up to OL_KEYFILE_MAX bytes; the size may change under our eyes. */
static ssize_t
keyfile_read(int fd, char *buf)
{
    size_t len = 0;

    while (len < OL_KEYFILE_MAX) {
        ssize_t n = read(fd, buf + len, OL_KEYFILE_MAX - len);

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

int
ol_key_load(const char *path, struct ol_key **ret, struct ol_error *err)
{
    struct ol_error why;
    char *buf = NULL;
    ssize_t len;
    int fd, rc;

    /* O_NONBLOCK: a FIFO must be refused, not waited for. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return ol_error_set(err, errno, "%s: %s", path, strerror(errno));
    rc = keyfile_check(fd, path, err);
    if (rc < 0)
        goto out;
    buf = malloc(OL_KEYFILE_MAX);
    if (buf == NULL) {
        rc = ol_error_set(err, ENOMEM, "%s: out of memory", path);
        goto out;
    }
    len = keyfile_read(fd, buf);
    if (len < 0) {
        rc = ol_error_set(err, (int)-len, "%s: %s", path, strerror((int)-len));
        goto out;
    }
    rc = ol_key_from_pem(buf, (size_t)len, ret, &why);
    if (rc < 0)
        ol_error_set(err, -rc, "%s: %s", path, why.text);
out:
    if (buf != NULL)
        OPENSSL_cleanse(buf, OL_KEYFILE_MAX);
    free(buf);
    close(fd);
    return rc;
}

static int
keyfile_write(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        len -= (size_t)n;
    }
    /* Whatever the umask says. */
    if (fchmod(fd, S_IRUSR | S_IWUSR) < 0 || fsync(fd) < 0)
        return -errno;
    return 0;
}

/* A file is there to stay only when its folder's entry is. */
static int
folder_sync(const char *path)
{
    char copy[PATH_MAX];
    int fd, rc = 0;

    if (strlen(path) >= sizeof(copy))
        return -ENAMETOOLONG;
    strcpy(copy, path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fsync(fd) < 0)
        rc = -errno;
    close(fd);
    return rc;
}

int
ol_key_save(const struct ol_key *key, const char *path, struct ol_error *err)
{
    char *pem;
    size_t len;
    int fd, rc;

    rc = ol_key_to_pem(key, &pem, &len);
    if (rc < 0)
        return ol_error_set(err, -rc, "%s: the key could not be written as PEM",
                            path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        rc = ol_error_set(err, errno, "%s: %s", path, strerror(errno));
        goto out;
    }
    rc = keyfile_write(fd, pem, len);
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    if (rc == 0)
        rc = folder_sync(path);
    if (rc < 0) {
        unlink(path);
        ol_error_set(err, -rc, "%s: %s", path, strerror(-rc));
    }
out:
    ol_pem_free(pem, len);
    return rc;
}

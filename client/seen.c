/*
 * The newest manifests, in ${XDG_STATE_HOME:-~/.local/state}/offload/seen.
 *
 * Owns that file: at most SEEN_LINES lines, replaced atomically under a lock.
 * Manifests of one version are signed at different times and may come in any
 * order, so only an older one of another version is refused.
 */
#include "client/seen.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "offload/encoding.h"

#define PATH_CAP 4096
#define LINE_CAP 160 /* 64 + 20 + 64 and blanks */

static const char *
line_skip(const char *text, size_t lines)
{
    while (lines-- > 0)
        text = strchr(text, '\n') + 1;
    return text;
}

/* The list without one line, and with another at its end. */
static int
replace_line(const char *text, const char *from, size_t from_len,
             const char *line, char **ret)
{
    size_t lines = 0, len = strlen(text);
    const char *start = text;

    for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    if (from == NULL && lines >= SEEN_LINES)
        start = line_skip(text, lines - SEEN_LINES + 1);
    if (from == NULL)
        from = text + len;
    if (asprintf(ret, "%.*s%s%s", (int)(from - start), start, from + from_len,
                 line) < 0)
        return -ENOMEM;
    return 0;
}

int
seen_merge(const char *text, const char *key, int64_t iat, const char *root,
           char **ret, struct ol_error *err)
{
    char line[LINE_CAP], old_root[OL_ROOT_HEX + 1];
    const char *old = NULL;
    size_t old_len = 0;
    int64_t old_iat;

    *ret = NULL;
    for (const char *p = text, *end; (end = strchr(p, '\n')) != NULL;
         p = end + 1) {
        if (strncmp(p, key, OL_ROOT_HEX) != 0 ||
            sscanf(p + OL_ROOT_HEX, " %" SCNd64 " %64[0-9a-f]", &old_iat,
                   old_root) != 2)
            continue;
        old = p;
        old_len = (size_t)(end + 1 - p);
        if (old_iat > iat && strcmp(old_root, root) != 0)
            return ol_error_set(err, ESTALE,
                                "iat: older than the manifest of another "
                                "version that was seen before");
        if (old_iat >= iat)
            return 0;
    }
    snprintf(line, sizeof(line), "%s %" PRId64 " %s\n", key, iat, root);
    return replace_line(text, old, old_len, line, ret);
}

static int
folder_path(char *dst, size_t cap, struct ol_error *err)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int n;

    if (state != NULL && state[0] == '/')
        n = snprintf(dst, cap, "%s/offload", state);
    else if (home != NULL && home[0] == '/')
        n = snprintf(dst, cap, "%s/.local/state/offload", home);
    else
        return ol_error_set(err, ENOENT, "neither XDG_STATE_HOME nor HOME");
    if (n < 0 || (size_t)n >= cap)
        return ol_error_set(err, ENAMETOOLONG, "state folder: name too long");
    for (char *p = dst + 1; p != NULL; p++) {
        p = strchr(p, '/');
        if (p != NULL)
            *p = '\0';
        if (mkdir(dst, 0700) < 0 && errno != EEXIST)
            return ol_error_set(err, errno, "%s: %s", dst, strerror(errno));
        if (p == NULL)
            break;
        *p = '/';
    }
    return 0;
}

static int
read_list(const char *path, char **ret)
{
    char *text = calloc(1, SEEN_LINES * LINE_CAP + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (text == NULL) {
        if (fd >= 0)
            close(fd);
        return -ENOMEM;
    }
    if (fd >= 0) {
        if (read(fd, text, SEEN_LINES * LINE_CAP) < 0)
            text[0] = '\0';
        close(fd);
    }
    *ret = text;
    return 0;
}

static int
write_list(const char *path, const char *text, struct ol_error *err)
{
    char temporary[PATH_CAP + 8];
    size_t len = strlen(text);
    ssize_t written;
    int fd;

    snprintf(temporary, sizeof(temporary), "%s.new", path);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return ol_error_set(err, errno, "%s: %s", temporary, strerror(errno));
    written = write(fd, text, len);
    if (close(fd) < 0 || written != (ssize_t)len || rename(temporary, path) < 0)
        return ol_error_set(err, EIO, "%s: cannot be written", path);
    return 0;
}

static int
update(const char *folder, const char *key, int64_t iat, const char *root,
       struct ol_error *err)
{
    char path[PATH_CAP];
    char *text = NULL, *merged = NULL;
    int rc;

    if ((size_t)snprintf(path, sizeof(path), "%s/seen", folder) >= sizeof(path))
        return ol_error_set(err, ENAMETOOLONG, "state folder: name too long");
    rc = read_list(path, &text);
    if (rc == 0)
        rc = seen_merge(text, key, iat, root, &merged, err);
    if (rc == 0 && merged != NULL)
        rc = write_list(path, merged, err);
    if (rc == -ESTALE)
        ol_error_set(err, ESTALE,
                     "iat: older than the manifest of another version, noted "
                     "in %s",
                     path);
    free(text);
    free(merged);
    return rc;
}

int
seen_note(const char *origin, const struct ol_manifest *manifest,
          struct ol_error *err)
{
    char folder[PATH_CAP / 2], lock[PATH_CAP];
    char key[OL_ROOT_HEX + 1], root[OL_ROOT_HEX + 1], *name;
    uint8_t hash[OL_HASH_BYTES];
    int fd, rc;

    rc = folder_path(folder, sizeof(folder), err);
    if (rc != 0)
        return rc;
    if (asprintf(&name, "%s\n%s\n%s", origin, manifest->iss, manifest->sub) < 0)
        return ol_error_set(err, ENOMEM, "no memory");
    ol_sha256(name, strlen(name), hash);
    free(name);
    ol_hex_encode(key, hash, sizeof(hash));
    ol_hex_encode(root, manifest->root, OL_HASH_BYTES);
    snprintf(lock, sizeof(lock), "%s/lock", folder);
    fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        rc = ol_error_set(err, errno, "%s: %s", lock, strerror(errno));
    else
        rc = update(folder, key, manifest->iat, root, err);
    if (fd >= 0)
        close(fd);
    return rc;
}

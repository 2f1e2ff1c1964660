
/*
 * What tells two versions of a file apart, and what is kept of a version over
 * restarts: one small JSON file for each path, named after its hash, and one
 * piece table for each root, which "pieces" sends as it is.  Called in threads
 * of the pool: no nginx pools, no logging.  Only a table is dropped elsewhere.
 *
 * Nothing here is ever wrong if it is lost: the folder may be emptied.
 */


#include "ngx_http_offload.h"

#include "offload/encoding.h"
#include "offload/json.h"


#define NGX_HTTP_OFFLOAD_IDENT_LEN  192
#define NGX_HTTP_OFFLOAD_ENTRY_MAX  1024     /* bytes of a path's file */


static void ngx_http_offload_ident_text(ngx_http_offload_ident_t *ident,
    u_char *text);
static void ngx_http_offload_entry_name(u_char *dir, ngx_str_t *path,
    u_char *name);
static ngx_int_t ngx_http_offload_entry_parse(u_char *text, size_t len,
    u_char *ident, struct ol_digest *digest);
static ngx_int_t ngx_http_offload_table_load(u_char *dir, uint64_t size,
    struct ol_digest *digest);
static ssize_t ngx_http_offload_read(u_char *name, u_char *buf, size_t size);
static ngx_int_t ngx_http_offload_write(u_char *dir, u_char *name,
    u_char *data, size_t len, char **failed);


void
ngx_http_offload_ident(ngx_file_info_t *fi, ngx_http_offload_ident_t *ident)
{
    ident->dev = fi->st_dev;
    ident->ino = fi->st_ino;
    ident->size = fi->st_size;
    ident->mtime = fi->st_mtim.tv_sec;
    ident->mtime_nsec = fi->st_mtim.tv_nsec;
    ident->ctime = fi->st_ctim.tv_sec;
    ident->ctime_nsec = fi->st_ctim.tv_nsec;
}


ngx_uint_t
ngx_http_offload_ident_same(ngx_http_offload_ident_t *a,
    ngx_http_offload_ident_t *b)
{
    return a->dev == b->dev
           && a->ino == b->ino
           && a->size == b->size
           && a->mtime == b->mtime
           && a->mtime_nsec == b->mtime_nsec
           && a->ctime == b->ctime
           && a->ctime_nsec == b->ctime_nsec;
}


static void
ngx_http_offload_ident_text(ngx_http_offload_ident_t *ident, u_char *text)
{
    (void) ngx_snprintf(text, NGX_HTTP_OFFLOAD_IDENT_LEN,
                        "%uL %uL %O %T.%09l %T.%09l%Z",
                        (uint64_t) ident->dev, (uint64_t) ident->ino,
                        ident->size, ident->mtime, ident->mtime_nsec,
                        ident->ctime, ident->ctime_nsec);
}


static void
ngx_http_offload_entry_name(u_char *dir, ngx_str_t *path, u_char *name)
{
    char    hex[OL_ROOT_HEX + 1];
    u_char  digest[OL_HASH_BYTES];

    ol_sha256(path->data, path->len, digest);
    ol_hex_encode(hex, digest, OL_HASH_BYTES);

    (void) ngx_snprintf(name, NGX_MAX_PATH, "%s/%s.file%Z", dir, hex);
}


/*
 * NGX_DECLINED: nothing of use is kept; the caller clears the digest, whose
 * root is that of the version that is kept, if there is one
 */

ngx_int_t
ngx_http_offload_state_load(u_char *dir, ngx_str_t *path,
    ngx_http_offload_ident_t *ident, struct ol_digest *digest)
{
    u_char     name[NGX_MAX_PATH], buf[NGX_HTTP_OFFLOAD_ENTRY_MAX];
    u_char     text[NGX_HTTP_OFFLOAD_IDENT_LEN];
    ssize_t    n;
    ngx_int_t  rc;

    ngx_http_offload_entry_name(dir, path, name);

    n = ngx_http_offload_read(name, buf, sizeof(buf));
    if (n < 0) {
        return NGX_DECLINED;
    }

    ngx_http_offload_ident_text(ident, text);

    rc = ngx_http_offload_entry_parse(buf, n, text, digest);

    if (rc == NGX_OK) {
        rc = ngx_http_offload_table_load(dir, ident->size, digest);
    }

    return rc;
}


static ngx_int_t
ngx_http_offload_entry_parse(u_char *text, size_t len, u_char *ident,
    struct ol_digest *digest)
{
    json_t      *json;
    ngx_int_t    rc;
    const char  *kept;

    json = ol_json_parse((char *) text, len, NULL);
    if (json == NULL) {
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;

    if (ol_json_hex(json, "root", digest->root, OL_HASH_BYTES, NULL) == 0
        && ol_json_string(json, "version", NGX_HTTP_OFFLOAD_IDENT_LEN, &kept,
                          NULL)
           == 0
        && ngx_strcmp(kept, ident) == 0
        && ol_json_hex(json, "sha256", digest->sha256, OL_HASH_BYTES, NULL)
           == 0)
    {
        rc = NGX_OK;
    }

    json_decref(json);

    return rc;
}


static ngx_int_t
ngx_http_offload_table_load(u_char *dir, uint64_t size,
    struct ol_digest *digest)
{
    char     hex[OL_ROOT_HEX + 1];
    u_char   name[NGX_MAX_PATH];
    size_t   len;
    ssize_t  n;

    digest->size = size;
    digest->piece_size = ol_piece_size(size);
    digest->piece_count = ol_piece_count(size);

    len = (size_t) digest->piece_count * OL_HASH_BYTES;

    /* one byte more, so that a table that is too long shows */

    digest->table = malloc(len + 1);
    if (digest->table == NULL) {
        return NGX_DECLINED;
    }

    ol_hex_encode(hex, digest->root, OL_HASH_BYTES);
    (void) ngx_snprintf(name, NGX_MAX_PATH, "%s/%s.table%Z", dir, hex);

    n = ngx_http_offload_read(name, digest->table, len + 1);

    if (n < 0 || ol_table_check(digest->table, n, size, digest->root, NULL)
                 != 0)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ssize_t
ngx_http_offload_read(u_char *name, u_char *buf, size_t size)
{
    size_t    len;
    ssize_t   n;
    ngx_fd_t  fd;

    fd = ngx_open_file(name, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    for (len = 0; len < size; len += n) {
        n = ngx_read_fd(fd, buf + len, size - len);

        if (n == -1) {
            (void) ngx_close_file(fd);
            return NGX_ERROR;
        }

        if (n == 0) {
            break;
        }
    }

    (void) ngx_close_file(fd);

    return len;
}


/* the table first: an entry never promises a table that is not there */

ngx_int_t
ngx_http_offload_state_save(u_char *dir, ngx_str_t *path,
    ngx_http_offload_ident_t *ident, struct ol_digest *digest, char **failed)
{
    char        root[OL_ROOT_HEX + 1], sha256[OL_ROOT_HEX + 1];
    u_char     *p;
    u_char      name[NGX_MAX_PATH], entry[NGX_HTTP_OFFLOAD_ENTRY_MAX];
    u_char      version[NGX_HTTP_OFFLOAD_IDENT_LEN];
    ngx_fd_t    fd;
    ngx_int_t   rc;

    ol_hex_encode(root, digest->root, OL_HASH_BYTES);
    ol_hex_encode(sha256, digest->sha256, OL_HASH_BYTES);
    ngx_http_offload_ident_text(ident, version);

    (void) ngx_snprintf(name, NGX_MAX_PATH, "%s/%s.table%Z", dir, root);

    if (ngx_http_offload_write(dir, name, digest->table,
                               (size_t) digest->piece_count * OL_HASH_BYTES,
                               failed)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_snprintf(entry, sizeof(entry),
                     "{\"version\":\"%s\",\"root\":\"%s\",\"sha256\":\"%s\"}"
                     "\n",
                     version, root, sha256);

    ngx_http_offload_entry_name(dir, path, name);

    if (ngx_http_offload_write(dir, name, entry, p - entry, failed)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    fd = ngx_open_file(dir, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        *failed = ngx_open_file_n;
        return NGX_ERROR;
    }

    rc = NGX_OK;

    if (fsync(fd) == -1) {
        *failed = "fsync()";
        rc = NGX_ERROR;
    }

    (void) ngx_close_file(fd);

    return rc;
}


/* the table of a root that no file has any more */

void
ngx_http_offload_state_drop(u_char *dir, u_char *root)
{
    char    hex[OL_ROOT_HEX + 1];
    u_char  name[NGX_MAX_PATH];

    ol_hex_encode(hex, root, OL_HASH_BYTES);
    (void) ngx_snprintf(name, NGX_MAX_PATH, "%s/%s.table%Z", dir, hex);

    (void) ngx_delete_file(name);
}


/* whole or not at all, and on the disk before it has its name */

static ngx_int_t
ngx_http_offload_write(u_char *dir, u_char *name, u_char *data, size_t len,
    char **failed)
{
    u_char     temp[NGX_MAX_PATH];
    size_t     done;
    ssize_t    n;
    ngx_fd_t   fd;
    ngx_err_t  err;

    /* a worker has one job at a time */

    (void) ngx_snprintf(temp, NGX_MAX_PATH, "%s/%P.temp%Z", dir, ngx_pid);

    fd = ngx_open_file(temp, NGX_FILE_WRONLY, NGX_FILE_TRUNCATE, 0600);
    if (fd == NGX_INVALID_FILE) {
        *failed = ngx_open_file_n;
        return NGX_ERROR;
    }

    for (done = 0; done < len; done += n) {
        n = ngx_write_fd(fd, data + done, len - done);

        if (n <= 0) {
            *failed = "write()";
            goto failed;
        }
    }

    if (fsync(fd) == -1) {
        *failed = "fsync()";
        goto failed;
    }

    (void) ngx_close_file(fd);

    if (ngx_rename_file(temp, name) == NGX_FILE_ERROR) {
        *failed = ngx_rename_file_n;
        return NGX_ERROR;
    }

    return NGX_OK;

failed:

    err = ngx_errno;

    (void) ngx_close_file(fd);
    (void) ngx_delete_file(temp);

    ngx_set_errno(err);

    return NGX_ERROR;
}

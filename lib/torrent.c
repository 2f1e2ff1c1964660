/*
 * Torrents, in bencode (BEP 3): keys of a dictionary in the order of their
 * bytes, each text with its length in front.  Knows no file: the SHA-1s are
 * passed in, or left to whoever puts head and tail together.
 */
#include "offload/torrent.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
put_text(FILE *out, const char *text)
{
    fprintf(out, "%zu:%s", strlen(text), text);
}

/* The info dictionary up to the SHA-1s; "e" behind them ends it. */
static void
put_info(FILE *out, const char *name, uint64_t size)
{
    fprintf(out, "d6:lengthi%" PRIu64 "e4:name", size);
    put_text(out, name);
    fprintf(out,
            "12:piece lengthi%" PRIu32 "e6:pieces%zu:", ol_piece_size(size),
            (size_t)ol_piece_count(size) * OL_SHA1_BYTES);
}

static bool
name_ok(const char *name)
{
    return name[0] != '\0' && strchr(name, '/') == NULL &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* Closes out; 0 if all that was written to it is in its memory. */
static int
out_close(FILE *out)
{
    bool bad = ferror(out) != 0;

    return fclose(out) != 0 || bad ? -ENOMEM : 0;
}

int
ol_torrent_head(const struct ol_torrent *torrent, char **text, size_t *len)
{
    char *made = NULL;
    size_t made_len;
    FILE *out;

    if (!name_ok(torrent->name) || ol_piece_count(torrent->size) == 0)
        return -EINVAL;
    out = open_memstream(&made, &made_len);
    if (out == NULL)
        return -ENOMEM;

    fputc('d', out);
    if (torrent->tracker_count > 0) {
        fputs("8:announce", out);
        put_text(out, torrent->trackers[0]);
        fputs("13:announce-listl", out);
        for (size_t i = 0; i < torrent->tracker_count; i++) {
            fputc('l', out);
            put_text(out, torrent->trackers[i]);
            fputc('e', out);
        }
        fputc('e', out);
    }
    if (torrent->created > 0)
        fprintf(out, "13:creation datei%" PRId64 "e", torrent->created);
    fputs("4:info", out);
    put_info(out, torrent->name, torrent->size);

    if (out_close(out) < 0) {
        free(made);
        return -ENOMEM;
    }
    *text = made;
    *len = made_len;
    return 0;
}

int
ol_torrent_tail(const struct ol_torrent *torrent, char **text, size_t *len)
{
    char *made = NULL;
    size_t made_len;
    FILE *out = open_memstream(&made, &made_len);

    if (out == NULL)
        return -ENOMEM;

    fputc('e', out);
    if (torrent->seed_count > 0) {
        fputs("8:url-listl", out);
        for (size_t i = 0; i < torrent->seed_count; i++)
            put_text(out, torrent->seeds[i]);
        fputc('e', out);
    }
    fputc('e', out);

    if (out_close(out) < 0) {
        free(made);
        return -ENOMEM;
    }
    *text = made;
    *len = made_len;
    return 0;
}

int
ol_torrent_infohash(const char *name, uint64_t size, const uint8_t *sha1,
                    uint8_t ret[OL_SHA1_BYTES])
{
    size_t sha1_len = (size_t)ol_piece_count(size) * OL_SHA1_BYTES, len;
    char *info = NULL;
    EVP_MD_CTX *md;
    FILE *out;
    int rc;

    if (!name_ok(name) || sha1_len == 0)
        return -EINVAL;
    out = open_memstream(&info, &len);
    if (out == NULL)
        return -ENOMEM;
    put_info(out, name, size);
    rc = out_close(out);
    md = EVP_MD_CTX_new();
    if (rc == 0 && (md == NULL || EVP_DigestInit(md, EVP_sha1()) != 1 ||
                    EVP_DigestUpdate(md, info, len) != 1 ||
                    EVP_DigestUpdate(md, sha1, sha1_len) != 1 ||
                    EVP_DigestUpdate(md, "e", 1) != 1 ||
                    EVP_DigestFinal_ex(md, ret, NULL) != 1))
        rc = -ENOMEM;
    EVP_MD_CTX_free(md);
    free(info);
    return rc;
}

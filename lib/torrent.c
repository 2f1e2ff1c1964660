/*
 * Torrents, in bencode (BEP 3): keys of a dictionary in the order of their
 * bytes, each text with its length in front.  Knows no file: the SHA-1s are
 * passed in, or left to whoever puts head and tail together.
 */
#include "offload/torrent.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offload/origin.h"
#include "offload/text.h"

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

int
ol_torrent_head(const struct ol_torrent *torrent, char **text, size_t *len)
{
    struct ol_text made;
    FILE *out;

    if (!ol_basename_ok(torrent->name) || ol_piece_count(torrent->size) == 0)
        return -EINVAL;
    if (ol_text_open(&made) < 0)
        return -ENOMEM;
    out = made.out;

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

    return ol_text_close(&made, text, len);
}

int
ol_torrent_tail(const struct ol_torrent *torrent, char **text, size_t *len)
{
    struct ol_text made;
    FILE *out;

    if (ol_text_open(&made) < 0)
        return -ENOMEM;
    out = made.out;

    fputc('e', out);
    if (torrent->seed_count > 0) {
        fputs("8:url-listl", out);
        for (size_t i = 0; i < torrent->seed_count; i++)
            put_text(out, torrent->seeds[i]);
        fputc('e', out);
    }
    fputc('e', out);

    return ol_text_close(&made, text, len);
}

int
ol_torrent_infohash(const char *name, uint64_t size, const uint8_t *sha1,
                    uint8_t ret[OL_SHA1_BYTES])
{
    size_t sha1_len = (size_t)ol_piece_count(size) * OL_SHA1_BYTES, len;
    struct ol_text made;
    char *info;
    EVP_MD_CTX *md;
    int rc;

    if (!ol_basename_ok(name) || sha1_len == 0)
        return -EINVAL;
    if (ol_text_open(&made) < 0)
        return -ENOMEM;
    put_info(made.out, name, size);
    if (ol_text_close(&made, &info, &len) < 0)
        return -ENOMEM;
    md = EVP_MD_CTX_new();
    rc = 0;
    if (md == NULL || EVP_DigestInit(md, EVP_sha1()) != 1 ||
        EVP_DigestUpdate(md, info, len) != 1 ||
        EVP_DigestUpdate(md, sha1, sha1_len) != 1 ||
        EVP_DigestUpdate(md, "e", 1) != 1 ||
        EVP_DigestFinal_ex(md, ret, NULL) != 1)
        rc = -ENOMEM;
    EVP_MD_CTX_free(md);
    free(info);
    return rc;
}

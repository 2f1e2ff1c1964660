/*
 * Pieces, table, root, and the one pass that computes them.  Knows no file:
 * bytes come in order, from wherever.
 */
#include "offload/content.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PIECES_WANTED 400
/* Three hashes read the same bytes: in portions that stay in the cache. */
#define PORTION (64u << 10)

uint32_t
ol_piece_size(uint64_t size)
{
    uint32_t piece = OL_PIECE_MIN;

    while (piece < OL_PIECE_MAX && size > (uint64_t)piece * PIECES_WANTED)
        piece *= 2;
    return piece;
}

uint32_t
ol_piece_count(uint64_t size)
{
    uint32_t piece = ol_piece_size(size);

    if (size == 0 || size > OL_CONTENT_MAX)
        return 0;
    return (uint32_t)((size + piece - 1) / piece);
}

uint32_t
ol_piece_length(uint64_t size, uint32_t index)
{
    uint32_t piece = ol_piece_size(size), count = ol_piece_count(size);

    if (index >= count)
        return 0;
    if (index + 1 < count)
        return piece;
    return (uint32_t)(size - (uint64_t)index * piece);
}

void
ol_digest_clear(struct ol_digest *digest)
{
    free(digest->table);
    free(digest->sha1);
    memset(digest, 0, sizeof(*digest));
}

/* Hashes what it is given; between "begin" and "end" all is the thread's. */
struct helper {
    pthread_t thread;
    sem_t begin, end;
    EVP_MD_CTX *whole;
    const uint8_t *data; /* NULL: that was all */
    size_t len;
    bool failed;
};

struct ol_hasher {
    struct ol_digest digest; /* table and sha1 fill up as pieces end */
    uint64_t done;           /* bytes so far */
    uint32_t index;          /* piece under way */
    uint32_t left;           /* bytes that it lacks */
    bool failed;
    EVP_MD *md_sha256, *md_sha1; /* fetched once: fetching per piece costs */
    EVP_MD_CTX *whole, *piece, *piece_sha1;
    struct helper *helper; /* or NULL */
};

static void *
helper_run(void *arg)
{
    struct helper *helper = arg;

    for (;;) {
        while (sem_wait(&helper->begin) != 0)
            ;
        if (helper->data == NULL)
            return NULL;
        if (EVP_DigestUpdate(helper->whole, helper->data, helper->len) != 1)
            helper->failed = true;
        sem_post(&helper->end);
    }
}

static void
helper_begin(struct helper *helper, const uint8_t *data, size_t len)
{
    helper->data = data;
    helper->len = len;
    sem_post(&helper->begin);
}

static bool
helper_end(struct helper *helper)
{
    while (sem_wait(&helper->end) != 0)
        ;
    return !helper->failed;
}

static void
helper_free(struct helper *helper)
{
    if (helper == NULL)
        return;
    helper_begin(helper, NULL, 0);
    pthread_join(helper->thread, NULL);
    sem_destroy(&helper->begin);
    sem_destroy(&helper->end);
    free(helper);
}

int
ol_hasher_spread(struct ol_hasher *h)
{
    struct helper *helper;

    if (h->helper != NULL)
        return 0;
    helper = calloc(1, sizeof(*helper));
    if (helper == NULL)
        return -EAGAIN;
    helper->whole = h->whole;
    sem_init(&helper->begin, 0, 0);
    sem_init(&helper->end, 0, 0);
    if (pthread_create(&helper->thread, NULL, helper_run, helper) != 0) {
        sem_destroy(&helper->begin);
        sem_destroy(&helper->end);
        free(helper);
        return -EAGAIN;
    }
    h->helper = helper;
    return 0;
}

static bool
hasher_start_piece(struct ol_hasher *h)
{
    h->left = ol_piece_length(h->digest.size, h->index);
    return EVP_DigestInit_ex2(h->piece, h->md_sha256, NULL) == 1 &&
           EVP_DigestInit_ex2(h->piece_sha1, h->md_sha1, NULL) == 1;
}

static bool
hasher_end_piece(struct ol_hasher *h)
{
    uint8_t *hash = h->digest.table + (size_t)h->index * OL_HASH_BYTES;
    uint8_t *sha1 = h->digest.sha1 + (size_t)h->index * OL_SHA1_BYTES;

    /* So far the whole is this piece: it was not hashed twice. */
    if (h->index == 0 && EVP_MD_CTX_copy_ex(h->whole, h->piece) != 1)
        return false;
    if (EVP_DigestFinal_ex(h->piece, hash, NULL) != 1 ||
        EVP_DigestFinal_ex(h->piece_sha1, sha1, NULL) != 1)
        return false;
    h->index++;
    return h->index == h->digest.piece_count || hasher_start_piece(h);
}

int
ol_hasher_create(uint64_t size, struct ol_hasher **ret)
{
    struct ol_hasher *h;
    uint32_t count = ol_piece_count(size);

    if (count == 0)
        return -EINVAL;
    h = calloc(1, sizeof(*h));
    if (h == NULL)
        return -ENOMEM;

    h->digest.size = size;
    h->digest.piece_size = ol_piece_size(size);
    h->digest.piece_count = count;
    h->digest.table = calloc(count, OL_HASH_BYTES);
    h->digest.sha1 = calloc(count, OL_SHA1_BYTES);
    h->md_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    h->md_sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    h->whole = EVP_MD_CTX_new();
    h->piece = EVP_MD_CTX_new();
    h->piece_sha1 = EVP_MD_CTX_new();
    if (h->digest.table == NULL || h->digest.sha1 == NULL ||
        h->md_sha256 == NULL || h->md_sha1 == NULL || h->whole == NULL ||
        h->piece == NULL || h->piece_sha1 == NULL || !hasher_start_piece(h)) {
        ol_hasher_free(h);
        return -ENOMEM;
    }
    *ret = h;
    return 0;
}

/* In portions, the whole too if it is to be. */
static int
hasher_feed(struct ol_hasher *h, const uint8_t *p, size_t len, bool whole)
{
    while (len > 0) {
        size_t n = len < PORTION ? len : PORTION;

        if (n > h->left)
            n = h->left;
        h->failed =
            (whole && h->index > 0 && EVP_DigestUpdate(h->whole, p, n) != 1) ||
            EVP_DigestUpdate(h->piece, p, n) != 1 ||
            EVP_DigestUpdate(h->piece_sha1, p, n) != 1;
        h->left -= (uint32_t)n;
        if (!h->failed && h->left == 0)
            h->failed = !hasher_end_piece(h);
        if (h->failed)
            return -EIO;
        h->done += n;
        p += n;
        len -= n;
    }
    return 0;
}

int
ol_hasher_update(struct ol_hasher *h, const void *data, size_t len)
{
    /* Until then the whole is in the first piece's hash. */
    bool beside = h->helper != NULL && h->index > 0 && len > 0;
    int rc;

    if (h->failed)
        return -EIO;
    if (len > h->digest.size - h->done)
        return -EFBIG;
    if (beside)
        helper_begin(h->helper, data, len);
    rc = hasher_feed(h, data, len, !beside);
    if (beside && !helper_end(h->helper))
        h->failed = true;
    return h->failed ? -EIO : rc;
}

static int
sha256_digest(const void *data, size_t len, uint8_t ret[OL_HASH_BYTES])
{
    return EVP_Digest(data, len, ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}

int
ol_hasher_finish(struct ol_hasher *h, struct ol_digest *ret)
{
    struct ol_digest *digest = &h->digest;

    if (h->failed)
        return -EIO;
    if (h->done != digest->size)
        return -EBADMSG;

    h->failed = true; /* nothing may follow, whatever comes of it */
    if (EVP_DigestFinal_ex(h->whole, digest->sha256, NULL) != 1 ||
        sha256_digest(digest->table,
                      (size_t)digest->piece_count * OL_HASH_BYTES,
                      digest->root) < 0)
        return -EIO;
    *ret = *digest;
    digest->table = NULL;
    digest->sha1 = NULL;
    return 0;
}

void
ol_hasher_free(struct ol_hasher *h)
{
    if (h == NULL)
        return;
    helper_free(h->helper);
    EVP_MD_CTX_free(h->whole);
    EVP_MD_CTX_free(h->piece);
    EVP_MD_CTX_free(h->piece_sha1);
    EVP_MD_free(h->md_sha256);
    EVP_MD_free(h->md_sha1);
    ol_digest_clear(&h->digest);
    free(h);
}

void
ol_sha256(const void *data, size_t len, uint8_t ret[OL_HASH_BYTES])
{
    /* Going on with a hash that is none would be worse than to stop. */
    if (sha256_digest(data, len, ret) < 0)
        abort();
}

int
ol_table_check(const uint8_t *table, size_t len, uint64_t size,
               const uint8_t root[OL_HASH_BYTES], struct ol_error *err)
{
    uint8_t hash[OL_HASH_BYTES];
    size_t want = (size_t)ol_piece_count(size) * OL_HASH_BYTES;

    if (want == 0 || len != want)
        return ol_error_set(err, EBADMSG, "piece table: %zu bytes, not %zu",
                            len, want);
    if (sha256_digest(table, len, hash) < 0)
        return ol_error_set(err, EIO, "piece table: SHA-256 failed");
    if (memcmp(hash, root, OL_HASH_BYTES) != 0)
        return ol_error_set(err, EBADMSG,
                            "piece table: does not hash to the root");
    return 0;
}

int
ol_piece_check(const uint8_t *table, uint64_t size, uint32_t index,
               const void *data, size_t len)
{
    uint8_t hash[OL_HASH_BYTES];

    if (index >= ol_piece_count(size) || len != ol_piece_length(size, index))
        return -EBADMSG;
    if (sha256_digest(data, len, hash) < 0)
        return -EIO;
    if (memcmp(hash, table + (size_t)index * OL_HASH_BYTES, OL_HASH_BYTES) != 0)
        return -EBADMSG;
    return 0;
}

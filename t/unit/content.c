/*
 * Contents: piece sizes at their boundaries, SHA vectors through the hasher,
 * and the one pass against a recomputation that shares no code with it.
 */
#include "../../lib/content.c"

#include "offload/encoding.h"
#include "tap.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

struct shape {
    uint64_t size;
    uint32_t piece_size, count, last;
};

static const struct shape shapes[] = {
    {1, 256 * KIB, 1, 1},
    {256 * KIB - 1, 256 * KIB, 1, 256 * KIB - 1},
    {256 * KIB, 256 * KIB, 1, 256 * KIB},
    {256 * KIB + 1, 256 * KIB, 2, 1},
    {100 * MIB - 1, 256 * KIB, 400, 256 * KIB - 1},
    {100 * MIB, 256 * KIB, 400, 256 * KIB},
    {100 * MIB + 1, 512 * KIB, 201, 1},
    {200 * MIB, 512 * KIB, 400, 512 * KIB},
    {200 * MIB + 1, MIB, 201, 1},
    {400 * MIB + 1, 2 * MIB, 201, 1},
    {3200 * MIB, 8 * MIB, 400, 8 * MIB},
    {3200 * MIB + 1, 16 * MIB, 201, 1},
    {6400 * MIB, 16 * MIB, 400, 16 * MIB},
    {6400 * MIB + 1, 16 * MIB, 401, 1},
    {OL_CONTENT_MAX - 1, 16 * MIB, 262144, 16 * MIB - 1},
    {OL_CONTENT_MAX, 16 * MIB, 262144, 16 * MIB},
};

static void
test_shapes(void)
{
    struct ol_hasher *h = NULL;

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        const struct shape *s = &shapes[i];
        uint64_t sum;

        is_int(ol_piece_size(s->size), s->piece_size, "%llu bytes: piece size",
               (unsigned long long)s->size);
        is_int(ol_piece_count(s->size), s->count, "pieces");
        is_int(ol_piece_length(s->size, s->count - 1), s->last, "last piece");
        is_int(ol_piece_length(s->size, s->count), 0, "none behind it");
        sum = (uint64_t)(s->count - 1) * s->piece_size + s->last;
        ok(sum == s->size, "they add up");
    }
    is_int(ol_piece_count(0), 0, "nothing has no pieces");
    is_int(ol_piece_count(OL_CONTENT_MAX + 1), 0, "nor has too much");
    is_int(ol_piece_count(UINT64_MAX), 0, "nor the largest number");
    is_int(ol_hasher_create(0, &h), -EINVAL, "no hasher for nothing");
    is_int(ol_hasher_create(OL_CONTENT_MAX + 1, &h), -EINVAL, "or too much");
}

static void
is_hex(const uint8_t *bytes, size_t len, const char *want, const char *name)
{
    char text[2 * OL_HASH_BYTES + 1];

    ol_hex_encode(text, bytes, len);
    is_str(text, want, "%s", name);
}

static void
digest_in(const uint8_t *data, uint64_t size, size_t chunk, bool spread,
          struct ol_digest *ret)
{
    struct ol_hasher *h;
    int bad = 0;

    must(ol_hasher_create(size, &h) == 0);
    must(!spread || ol_hasher_spread(h) == 0);
    for (uint64_t at = 0; at < size; at += chunk) {
        size_t n = size - at < chunk ? (size_t)(size - at) : chunk;

        bad += ol_hasher_update(h, data + at, n) != 0;
    }
    must(bad == 0 && ol_hasher_finish(h, ret) == 0);
    ol_hasher_free(h);
}

/* In one thread and in two, which has to be the same. */
static void
digest_of(const uint8_t *data, uint64_t size, size_t chunk,
          struct ol_digest *ret)
{
    struct ol_digest two;

    digest_in(data, size, chunk, false, ret);
    digest_in(data, size, chunk, true, &two);
    must(memcmp(ret->root, two.root, OL_HASH_BYTES) == 0 &&
         memcmp(ret->sha256, two.sha256, OL_HASH_BYTES) == 0 &&
         memcmp(ret->sha1, two.sha1, (size_t)two.piece_count * OL_SHA1_BYTES) ==
             0);
    ol_digest_clear(&two);
}

/* FIPS 180-4's examples: "abc", and a million times "a" (four pieces). */
static void
test_vectors(void)
{
    uint8_t *million = malloc(1000000), hash[OL_HASH_BYTES];
    struct ol_digest d;

    must(million != NULL);
    memset(million, 'a', 1000000);
    ol_sha256("abc", 3, hash);
    is_hex(hash, sizeof(hash),
           "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
           "ol_sha256(abc)");
    digest_of((const uint8_t *)"abc", 3, 1, &d);
    is_hex(d.sha256, OL_HASH_BYTES,
           "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
           "SHA-256(abc)");
    is_mem(d.table, d.sha256, OL_HASH_BYTES, "one piece: its table");
    is_hex(d.sha1, OL_SHA1_BYTES, "a9993e364706816aba3e25717850c26c9cd0d89d",
           "SHA-1(abc)");
    ol_digest_clear(&d);
    ok(d.table == NULL && d.sha1 == NULL && d.size == 0, "cleared");

    digest_of(million, 1000000, 4099, &d);
    is_int(d.piece_count, 4, "a million bytes are four pieces");
    is_hex(d.sha256, OL_HASH_BYTES,
           "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
           "SHA-256(a million times a)");
    is_mem(d.table, d.table + OL_HASH_BYTES, OL_HASH_BYTES,
           "equal pieces, equal hashes");
    ol_digest_clear(&d);
    free(million);
}

/* Recomputed piece by piece with EVP's one-shot calls. */
static int
digest_differs(const uint8_t *data, uint64_t size, const struct ol_digest *d)
{
    uint32_t piece = 256u << 10;
    uint32_t count = (uint32_t)((size + piece - 1) / piece);
    uint8_t hash[OL_HASH_BYTES];
    int bad =
        d->size != size || d->piece_size != piece || d->piece_count != count;

    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *start = data + (size_t)i * piece;
        size_t n = i + 1 < count ? piece : size - (uint64_t)i * piece;

        EVP_Digest(start, n, hash, NULL, EVP_sha256(), NULL);
        bad += memcmp(hash, d->table + 32 * (size_t)i, 32) != 0;
        bad += ol_piece_check(d->table, size, i, start, n) != 0;
        EVP_Digest(start, n, hash, NULL, EVP_sha1(), NULL);
        bad += memcmp(hash, d->sha1 + 20 * (size_t)i, 20) != 0;
    }
    EVP_Digest(data, size, hash, NULL, EVP_sha256(), NULL);
    bad += memcmp(hash, d->sha256, 32) != 0;
    EVP_Digest(d->table, 32 * (size_t)count, hash, NULL, EVP_sha256(), NULL);
    bad += memcmp(hash, d->root, 32) != 0;
    bad += ol_table_check(d->table, 32 * (size_t)count, size, hash, NULL) != 0;
    return bad;
}

static void
test_one_pass(const uint8_t *data)
{
    static const uint64_t piece = 256 * KIB;
    const uint64_t sizes[] = {1,         2,         piece - 1,     piece,
                              piece + 1, 2 * piece, 2 * piece + 1, 5000001};
    const size_t chunks[] = {999, 65536, 65537, 262144, 262145, 8000000};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t j = 0; j < sizeof(chunks) / sizeof(chunks[0]); j++) {
            struct ol_digest d;

            digest_of(data, sizes[i], chunks[j], &d);
            is_int(digest_differs(data, sizes[i], &d), 0,
                   "%llu bytes in portions of %zu",
                   (unsigned long long)sizes[i], chunks[j]);
            ol_digest_clear(&d);
        }
    }
}

/* Where piece_size doubles: 400 pieces, and one byte more or less. */
static void
test_large(void)
{
    const uint64_t sizes[] = {100 * MIB - 1, 100 * MIB, 100 * MIB + 1};
    uint8_t *data = calloc(1, 100 * MIB + 1);

    must(data != NULL);
    for (size_t i = 0; i < 3; i++) {
        struct ol_digest d;
        uint8_t hash[32];
        int bad = 0;

        data[sizes[i] - 1] = 7;
        digest_of(data, sizes[i], 16 * MIB, &d);
        is_int(d.piece_count, i < 2 ? 400 : 201, "%llu bytes: its pieces",
               (unsigned long long)sizes[i]);
        for (uint32_t p = 0; p < d.piece_count; p++) {
            uint64_t at = (uint64_t)p * d.piece_size;
            size_t n = ol_piece_length(sizes[i], p);

            EVP_Digest(data + at, n, hash, NULL, EVP_sha256(), NULL);
            bad += memcmp(hash, d.table + 32 * (size_t)p, 32) != 0;
        }
        is_int(bad, 0, "each hashes alike");
        ol_sha256(d.table, 32 * (size_t)d.piece_count, hash);
        is_mem(hash, d.root, 32, "and so does the table");
        ol_digest_clear(&d);
        data[sizes[i] - 1] = 0;
    }
    free(data);
}

static void
test_misuse(const uint8_t *data)
{
    struct ol_hasher *h;
    struct ol_digest d = {.size = 77};

    must(ol_hasher_create(10, &h) == 0);
    is_int(ol_hasher_update(h, data, 4), 0, "4 of 10 bytes");
    is_int(ol_hasher_update(h, data, 0), 0, "and nothing");
    is_int(ol_hasher_finish(h, &d), -EBADMSG, "fewer bytes than promised");
    is_int(d.size, 77, "writes nothing");
    is_int(ol_hasher_update(h, data, 7), -EFBIG, "more than promised");
    is_int(ol_hasher_update(h, data, SIZE_MAX), -EFBIG, "far more");
    is_int(ol_hasher_update(h, data, 6), 0, "just what is missing");
    is_int(ol_hasher_finish(h, &d), 0, "is well");
    is_int(ol_hasher_finish(h, &d), -EIO, "but only once");
    is_int(ol_hasher_update(h, data, 0), -EIO, "and nothing more");
    ol_hasher_free(h);
    ol_digest_clear(&d);
    ol_hasher_free(NULL);
}

static void
test_checks(uint8_t *data)
{
    const uint64_t size = 600000; /* pieces of 262144, 262144, 75712 */
    struct ol_error err;
    struct ol_digest d;

    digest_of(data, size, 65536, &d);
    is_int(ol_table_check(d.table, 96, size, d.root, &err), 0, "its table");
    is_int(ol_table_check(d.table, 64, size, d.root, &err), -EBADMSG, "short");
    is_int(ol_table_check(d.table, 95, size, d.root, &err), -EBADMSG, "odd");
    is_int(ol_table_check(d.table, 96, 500000, d.root, &err), -EBADMSG,
           "for another size");
    is_int(ol_table_check(d.table, 0, 0, d.root, &err), -EBADMSG, "for none");
    d.table[50] ^= 1;
    is_int(ol_table_check(d.table, 96, size, d.root, &err), -EBADMSG,
           "with a flipped bit");
    has_str(err.text, "root", "which it says");
    is_int(ol_piece_check(d.table, size, 1, data + 262144, 262144), -EBADMSG,
           "that piece does not match");
    d.table[50] ^= 1;

    is_int(ol_piece_check(d.table, size, 2, data + 524288, 75712), 0, "piece");
    is_int(ol_piece_check(d.table, size, 2, data + 524288, 75711), -EBADMSG,
           "one byte less");
    is_int(ol_piece_check(d.table, size, 1, data + 262144, 75712), -EBADMSG,
           "not the length of that one");
    is_int(ol_piece_check(d.table, size, 0, data + 262144, 262144), -EBADMSG,
           "another piece");
    is_int(ol_piece_check(d.table, size, 3, data, 0), -EBADMSG, "no such one");
    data[524288] ^= 0x80;
    is_int(ol_piece_check(d.table, size, 2, data + 524288, 75712), -EBADMSG,
           "one flipped bit");
    data[524288] ^= 0x80;
    ol_digest_clear(&d);
}

int
main(void)
{
    const size_t size = 5000001;
    uint8_t *data = malloc(size);
    uint32_t x = 1;

    must(data != NULL);
    for (size_t i = 0; i < size; i++) {
        x = x * 1664525 + 1013904223;
        data[i] = (uint8_t)(x >> 24);
    }
    test_shapes();
    test_vectors();
    test_one_pass(data);
    test_large();
    test_misuse(data);
    test_checks(data);
    free(data);
    return tap_done();
}

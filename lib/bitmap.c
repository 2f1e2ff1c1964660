/*
 * Which pieces there are.  Owns the bits and their count, so that "complete"
 * is one comparison.
 */
#include "offload/bitmap.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "offload/encoding.h"

int
ol_bitmap_init(struct ol_bitmap *b, uint32_t count)
{
    uint8_t *bits = calloc(ol_bitmap_bytes(count) + 1, 1);

    if (bits == NULL)
        return -ENOMEM;
    *b = (struct ol_bitmap){.count = count, .bits = bits};
    return 0;
}

void
ol_bitmap_clear(struct ol_bitmap *b)
{
    free(b->bits);
    memset(b, 0, sizeof(*b));
}

bool
ol_bitmap_get(const struct ol_bitmap *b, uint32_t i)
{
    return i < b->count && (b->bits[i / 8] & 0x80 >> i % 8) != 0;
}

void
ol_bitmap_put(struct ol_bitmap *b, uint32_t i, bool value)
{
    assert(i < b->count);
    if (ol_bitmap_get(b, i) == value)
        return;
    b->bits[i / 8] ^= (uint8_t)(0x80 >> i % 8);
    if (value)
        b->set++;
    else
        b->set--;
}

void
ol_bitmap_fill(struct ol_bitmap *b)
{
    memset(b->bits, 0xff, ol_bitmap_bytes(b->count));
    if (b->count % 8 != 0)
        b->bits[b->count / 8] = (uint8_t)(0xff00 >> b->count % 8);
    b->set = b->count;
}

uint32_t
ol_bitmap_find(const struct ol_bitmap *b, uint32_t from, bool value)
{
    const uint8_t nothing = value ? 0x00 : 0xff;

    while (from < b->count) {
        if (from % 8 == 0 && b->bits[from / 8] == nothing) {
            /* Not past the end, nor past what 32 bits hold. */
            from = b->count - from > 8 ? from + 8 : b->count;
            continue;
        }
        if (ol_bitmap_get(b, from) == value)
            return from;
        from++;
    }
    return b->count;
}

char *
ol_bitmap_dump(const struct ol_bitmap *b)
{
    size_t len = ol_bitmap_bytes(b->count);
    char *text = malloc(OL_BASE64URL_LEN(len) + 1);

    if (text != NULL)
        ol_base64url_encode(text, b->bits, len);
    return text;
}

int
ol_bitmap_parse(struct ol_bitmap *ret, uint32_t count, const char *text,
                size_t len, struct ol_error *err)
{
    struct ol_bitmap b;
    size_t bytes = ol_bitmap_bytes(count);

    if (len != OL_BASE64URL_LEN(bytes))
        return ol_error_set(err, EBADMSG,
                            "bitmap: %zu characters, not %zu for %u pieces",
                            len, OL_BASE64URL_LEN(bytes), count);
    if (ol_bitmap_init(&b, count) < 0)
        return ol_error_set(err, ENOMEM, "bitmap: out of memory");
    if (ol_base64url_decode_exact(b.bits, bytes, text, len) < 0) {
        ol_bitmap_clear(&b);
        return ol_error_set(err, EBADMSG, "bitmap: not strict base64url");
    }
    if (count % 8 != 0 && (b.bits[bytes - 1] & 0xff >> count % 8) != 0) {
        ol_bitmap_clear(&b);
        return ol_error_set(err, EBADMSG, "bitmap: bits set past piece %u",
                            count - 1);
    }
    for (size_t i = 0; i < bytes; i++)
        b.set += (uint32_t)__builtin_popcount(b.bits[i]);
    *ret = b;
    return 0;
}

/*
 * Piece bitmaps.  In memory as on the wire: piece 0 is the most significant
 * bit of byte 0, spare bits are zero; the wire form is base64url.
 */
#ifndef OL_BITMAP_H
#define OL_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "offload/error.h"

struct ol_bitmap {
    uint32_t count; /* pieces */
    uint32_t set;   /* how many of them are set */
    uint8_t *bits;  /* (count + 7) / 8 bytes */
};

int ol_bitmap_init(struct ol_bitmap *b, uint32_t count); /* all zero */
void ol_bitmap_clear(struct ol_bitmap *b);               /* frees */
static inline size_t
ol_bitmap_bytes(uint32_t count)
{
    return ((size_t)count + 7) / 8;
}
bool ol_bitmap_get(const struct ol_bitmap *b, uint32_t i);
void ol_bitmap_put(struct ol_bitmap *b, uint32_t i, bool value);
void ol_bitmap_fill(struct ol_bitmap *b);
static inline bool
ol_bitmap_full(const struct ol_bitmap *b)
{
    return b->set == b->count;
}
/* First index >= from whose bit is `value`; count if there is none. */
uint32_t ol_bitmap_find(const struct ol_bitmap *b, uint32_t from, bool value);

/* base64url text (free()), NULL without memory. */
char *ol_bitmap_dump(const struct ol_bitmap *b);
/* Reads exactly `count` pieces; -EBADMSG: wrong length or spare bits set. */
int ol_bitmap_parse(struct ol_bitmap *ret, uint32_t count, const char *text,
                    size_t len, struct ol_error *err);

#endif

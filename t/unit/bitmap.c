/*
 * Bitmaps: the order of bits on the wire, the count that is kept, spare bits,
 * and searching over byte boundaries.
 */
#include "../../lib/bitmap.c"

#include "tap.h"

static void
test_wire(void)
{
    struct ol_error err;
    struct ol_bitmap b;
    char *text;

    must(ol_bitmap_init(&b, 16) == 0);
    text = ol_bitmap_dump(&b);
    is_str(text, "AAA", "none of 16");
    free(text);
    ol_bitmap_put(&b, 0, true);
    text = ol_bitmap_dump(&b);
    is_str(text, "gAA", "piece 0 is the most significant bit of byte 0");
    free(text);
    ol_bitmap_put(&b, 0, true);
    ol_bitmap_put(&b, 15, true);
    is_int(b.set, 2, "counted once each");
    text = ol_bitmap_dump(&b);
    is_str(text, "gAE", "the last one is the least of the last byte");
    free(text);
    ol_bitmap_put(&b, 0, false);
    ol_bitmap_put(&b, 0, false);
    is_int(b.set, 1, "taken away once");
    ol_bitmap_clear(&b);

    is_int(ol_bitmap_parse(&b, 5, "-A", 2, &err), 0, "five bits: 11111000");
    ok(ol_bitmap_full(&b), "all of them");
    ok(!ol_bitmap_get(&b, 5), "none behind them");
    ol_bitmap_clear(&b);
    is_int(ol_bitmap_parse(&b, 5, "_A", 2, &err), -EBADMSG, "11111100");
    has_str(err.text, "past piece 4", "spare bits are refused");
    is_int(ol_bitmap_parse(&b, 5, "-B", 2, &err), -EBADMSG, "base64 spares");
    is_int(ol_bitmap_parse(&b, 5, "-AA", 3, &err), -EBADMSG, "too long");
    is_int(ol_bitmap_parse(&b, 5, "", 0, &err), -EBADMSG, "too short");
    is_int(ol_bitmap_parse(&b, 5, "+A", 2, &err), -EBADMSG, "another letter");
    is_int(ol_bitmap_parse(&b, 0, "", 0, &err), 0, "no pieces");
    is_int(ol_bitmap_find(&b, 0, false), 0, "none to find");
    ol_bitmap_clear(&b);
}

/* For every count: fill, punch every third, write, read, compare. */
static void
test_round_trips(void)
{
    int bad = 0;

    for (uint32_t count = 1; count <= 420; count++) {
        struct ol_bitmap a, b;
        uint32_t set = count;
        char *text;

        must(ol_bitmap_init(&a, count) == 0);
        bad += ol_bitmap_full(&a);
        ol_bitmap_fill(&a);
        bad += !ol_bitmap_full(&a);
        for (uint32_t i = 0; i < count; i += 3, set--)
            ol_bitmap_put(&a, i, false);
        text = ol_bitmap_dump(&a);
        must(text != NULL);
        if (ol_bitmap_parse(&b, count, text, strlen(text), NULL) == 0) {
            bad += b.set != set || a.set != set;
            for (uint32_t i = 0; i < count; i++)
                bad += ol_bitmap_get(&b, i) != (i % 3 != 0);
            ol_bitmap_clear(&b);
        } else {
            bad++;
        }
        free(text);
        ol_bitmap_clear(&a);
    }
    is_int(bad, 0, "1 to 420 pieces, there and back");
}

static void
test_find(void)
{
    struct ol_bitmap b;
    int bad = 0;

    for (uint32_t count = 1; count <= 70; count++) {
        must(ol_bitmap_init(&b, count) == 0);
        for (uint32_t one = 0; one < count; one++) {
            ol_bitmap_put(&b, one, true);
            for (uint32_t from = 0; from <= count; from++) {
                uint32_t want = from <= one ? one : count;

                bad += ol_bitmap_find(&b, from, true) != want;
                want = from != one ? from : one + 1;
                bad += ol_bitmap_find(&b, from, false) != want;
            }
            ol_bitmap_put(&b, one, false);
        }
        ol_bitmap_fill(&b);
        bad += ol_bitmap_find(&b, 0, false) != count;
        bad += ol_bitmap_find(&b, UINT32_MAX, true) != count;
        ol_bitmap_clear(&b);
    }
    is_int(bad, 0, "a single bit is found from everywhere, and nothing else");
}

int
main(void)
{
    test_wire();
    test_round_trips();
    test_find();
    return tap_done();
}

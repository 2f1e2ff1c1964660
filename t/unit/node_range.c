/* Range, If-Range, If-None-Match and If-Match: a table of requests. */
#include "node/range.c"

#include "tap.h"

#define ETAG "\"abc\""
#define SIZE 1000

static const struct {
    struct range_headers headers; /* range, if_range, if_none_match, if_match */
    enum range_kind kind;
    uint64_t first, last;
} cases[] = {
    {{NULL, NULL, NULL, NULL}, RANGE_WHOLE, 0, 999},
    {{"bytes=0-0", NULL, NULL, NULL}, RANGE_PART, 0, 0},
    {{"bytes=0-999", NULL, NULL, NULL}, RANGE_PART, 0, 999},
    {{"bytes=10-", NULL, NULL, NULL}, RANGE_PART, 10, 999},
    {{"bytes=999-5000", NULL, NULL, NULL}, RANGE_PART, 999, 999},
    {{"bytes=-1", NULL, NULL, NULL}, RANGE_PART, 999, 999},
    {{"bytes=-5000", NULL, NULL, NULL}, RANGE_PART, 0, 999},
    {{"BYTES= 1-2 ", NULL, NULL, NULL}, RANGE_PART, 1, 2},
    {{"bytes=0-18446744073709551616", NULL, NULL, NULL}, RANGE_PART, 0, 999},
    {{"bytes=1000-", NULL, NULL, NULL}, RANGE_BEYOND, 0, 0},
    {{"bytes=99999999999999999999-", NULL, NULL, NULL}, RANGE_BEYOND, 0, 0},
    {{"bytes=-0", NULL, NULL, NULL}, RANGE_BEYOND, 0, 0},
    /* not understood, or several: the whole */
    {{"bytes=0-1,5-6", NULL, NULL, NULL}, RANGE_WHOLE, 0, 999},
    {{"bytes=5-4", NULL, NULL, NULL}, RANGE_WHOLE, 0, 999},
    {{"bytes=", NULL, NULL, NULL}, RANGE_WHOLE, 0, 999},
    {{"bytes=-", NULL, NULL, NULL}, RANGE_WHOLE, 0, 999},
    {{"bytes=--1", NULL, NULL, NULL}, RANGE_WHOLE, 0, 999},
    {{"bytes=1-2x", NULL, NULL, NULL}, RANGE_WHOLE, 0, 999},
    {{"bytes=+1-2", NULL, NULL, NULL}, RANGE_WHOLE, 0, 999},
    {{"bytes=0x1-2", NULL, NULL, NULL}, RANGE_WHOLE, 0, 999},
    {{"bytes 1-2", NULL, NULL, NULL}, RANGE_WHOLE, 0, 999},
    {{"pieces=1-2", NULL, NULL, NULL}, RANGE_WHOLE, 0, 999},
    {{"", NULL, NULL, NULL}, RANGE_WHOLE, 0, 999},
    /* conditions */
    {{"bytes=1-2", ETAG, NULL, NULL}, RANGE_PART, 1, 2},
    {{"bytes=1-2", "\"abd\"", NULL, NULL}, RANGE_WHOLE, 0, 999},
    {{"bytes=1-2", "W/" ETAG, NULL, NULL}, RANGE_WHOLE, 0, 999},
    {{"bytes=1-2", "Sun, 06 Nov 1994 08:49:37 GMT", NULL, NULL},
     RANGE_WHOLE,
     0,
     999},
    {{NULL, NULL, ETAG, NULL}, RANGE_NOT_MODIFIED, 0, 999},
    {{NULL, NULL, "W/" ETAG, NULL}, RANGE_NOT_MODIFIED, 0, 999},
    {{NULL, NULL, "\"x\", " ETAG, NULL}, RANGE_NOT_MODIFIED, 0, 999},
    {{NULL, NULL, "*", NULL}, RANGE_NOT_MODIFIED, 0, 999},
    {{NULL, NULL, "\"x\"", NULL}, RANGE_WHOLE, 0, 999},
    {{"bytes=1-2", NULL, ETAG, NULL}, RANGE_NOT_MODIFIED, 0, 999},
    {{"bytes=1-2", NULL, NULL, ETAG}, RANGE_PART, 1, 2},
    {{"bytes=1-2", NULL, NULL, "*"}, RANGE_PART, 1, 2},
    {{NULL, NULL, NULL, "\"x\""}, RANGE_UNMATCHED, 0, 999},
    {{NULL, NULL, NULL, "W/" ETAG}, RANGE_UNMATCHED, 0, 999},
    {{NULL, NULL, NULL, ""}, RANGE_UNMATCHED, 0, 999},
};

int
main(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct range_headers *h = &cases[i].headers;
        struct range got = range_decide(h, ETAG, SIZE);
        bool good = got.kind == cases[i].kind;

        if (got.kind == RANGE_PART || got.kind == RANGE_WHOLE)
            good = good && got.first == cases[i].first &&
                   got.last == cases[i].last;
        if (!ok(good, "Range %s, If-Range %s, If-None-Match %s, If-Match %s",
                h->range != NULL ? h->range : "-",
                h->if_range != NULL ? h->if_range : "-",
                h->if_none_match != NULL ? h->if_none_match : "-",
                h->if_match != NULL ? h->if_match : "-"))
            diag("got kind %d, %llu-%llu", (int)got.kind,
                 (unsigned long long)got.first, (unsigned long long)got.last);
    }
    return tap_done();
}

/*
 * Answers of the tracker in bencode.
 *
 * Must not know HTTP.
 */
#include "coordinator/tracker/bencode.h"

#include <stdlib.h>
#include <string.h>

/* Seconds in which nobody need scrape again: flags of BEP 48. */
#define SCRAPE_INTERVAL 60
#define FAILURE_MAX 200

static char *
text_add(char *to, const char *text, size_t len)
{
    memcpy(to, text, len);
    return to + len;
}
#define LITERAL(to, text) text_add(to, text, sizeof(text) - 1)

static char *
digits_add(char *to, uint32_t n)
{
    char text[10];
    size_t at = sizeof(text);

    do {
        text[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return text_add(to, text + at, sizeof(text) - at);
}

static char *
number_add(char *to, uint32_t n)
{
    *to++ = 'i';
    to = digits_add(to, n);
    *to++ = 'e';
    return to;
}

static char *
bytes_add(char *to, const void *bytes, size_t len)
{
    to = digits_add(to, (uint32_t)len);
    *to++ = ':';
    return text_add(to, bytes, len);
}

size_t
bencode_announce(const struct announce_answer *a,
                 char dst[BENCODE_ANNOUNCE_MAX])
{
    char *to = dst;

    if (a->failure != NULL)
        return bencode_failure(a->failure, dst);
    to = LITERAL(to, "d8:complete");
    to = number_add(to, a->seeds);
    to = LITERAL(to, "10:downloaded");
    to = number_add(to, a->downloaded);
    to = LITERAL(to, "10:incomplete");
    to = number_add(to, a->leechers);
    to = LITERAL(to, "8:interval");
    to = number_add(to, a->interval);
    to = LITERAL(to, "12:min interval");
    to = number_add(to, a->min_interval);
    to = LITERAL(to, "5:peers");
    to = bytes_add(to, a->peers4, a->count4 * SWARM_V4_BYTES);
    to = LITERAL(to, "6:peers6");
    to = bytes_add(to, a->peers6, a->count6 * SWARM_V6_BYTES);
    *to++ = 'e';
    return (size_t)(to - dst);
}

static int
compare(const void *a, const void *b)
{
    return memcmp(*(const uint8_t *const *)a, *(const uint8_t *const *)b,
                  SWARM_HASH_BYTES);
}

size_t
bencode_scrape(const struct scrape *s, char dst[BENCODE_SCRAPE_MAX])
{
    const uint8_t *order[TRACKER_SCRAPE_MAX];
    char *to = dst;

    for (size_t i = 0; i < s->count; i++)
        order[i] = s->infohash[i];
    qsort(order, s->count, sizeof(order[0]), compare);
    to = LITERAL(to, "d5:filesd");
    for (size_t i = 0; i < s->count; i++) {
        size_t at = (size_t)(order[i] - s->infohash[0]) / SWARM_HASH_BYTES;

        if (i > 0 && compare(&order[i - 1], &order[i]) == 0)
            continue;
        to = bytes_add(to, order[i], SWARM_HASH_BYTES);
        to = LITERAL(to, "d8:complete");
        to = number_add(to, s->counts[at].seeds);
        to = LITERAL(to, "10:downloaded");
        to = number_add(to, s->counts[at].downloaded);
        to = LITERAL(to, "10:incomplete");
        to = number_add(to, s->counts[at].leechers);
        *to++ = 'e';
    }
    to = LITERAL(to, "e5:flagsd20:min_request_interval");
    to = number_add(to, SCRAPE_INTERVAL);
    to = LITERAL(to, "ee");
    return (size_t)(to - dst);
}

size_t
bencode_failure(const char *reason, char dst[BENCODE_ANNOUNCE_MAX])
{
    size_t len = strnlen(reason, FAILURE_MAX);
    char *to = LITERAL(dst, "d14:failure reason");

    to = bytes_add(to, reason, len);
    *to++ = 'e';
    return (size_t)(to - dst);
}

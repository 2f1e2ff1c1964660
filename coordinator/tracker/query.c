/*
 * The queries of /announce and /scrape, taken apart raw.
 *
 * Must not know what is answered.
 */
#include "coordinator/tracker/query.h"

#include <string.h>

/* One "name=value" of a query; value is not decoded. */
struct pair {
    const char *name, *value;
    size_t name_len, value_len;
};

/* The next pair, or false at the end. */
static bool
pair_next(const char **at, struct pair *ret)
{
    const char *begin = *at, *end, *equals;

    while (*begin == '&')
        begin++;
    if (*begin == '\0')
        return false;
    end = strchrnul(begin, '&');
    equals = memchr(begin, '=', (size_t)(end - begin));
    ret->name = begin;
    ret->name_len = (size_t)((equals == NULL ? end : equals) - begin);
    ret->value = equals == NULL ? end : equals + 1;
    ret->value_len = (size_t)(end - ret->value);
    *at = end;
    return true;
}

static bool
pair_is(const struct pair *pair, const char *name)
{
    return strlen(name) == pair->name_len &&
           memcmp(pair->name, name, pair->name_len) == 0;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* True if the value is exactly so many bytes. */
static bool
bytes_decode(const struct pair *pair, uint8_t *ret, size_t bytes)
{
    const char *c = pair->value, *end = c + pair->value_len;
    size_t count = 0;

    for (; c < end && count < bytes; count++) {
        if (*c != '%') {
            ret[count] = (uint8_t)*c++;
            continue;
        }
        if (end - c < 3 || hex_digit(c[1]) < 0 || hex_digit(c[2]) < 0)
            return false;
        ret[count] = (uint8_t)(hex_digit(c[1]) << 4 | hex_digit(c[2]));
        c += 3;
    }
    return c == end && count == bytes;
}

/* Digits alone; false if it is no number or does not fit. */
static bool
number_decode(const struct pair *pair, uint64_t max, uint64_t *ret)
{
    uint64_t n = 0;

    for (size_t i = 0; i < pair->value_len; i++) {
        unsigned digit = (unsigned)(pair->value[i] - '0');

        if (digit > 9 || n > (max - digit) / 10)
            return false;
        n = 10 * n + digit;
    }
    *ret = n;
    return pair->value_len > 0;
}

static enum announce_event
event_decode(const struct pair *pair)
{
    static const struct {
        const char *name;
        enum announce_event event;
    } events[] = {{"started", ANNOUNCE_STARTED},
                  {"stopped", ANNOUNCE_STOPPED},
                  {"completed", ANNOUNCE_COMPLETED},
                  {"paused", ANNOUNCE_PAUSED}};
    const struct pair value = {.name = pair->value,
                               .name_len = pair->value_len};

    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (pair_is(&value, events[i].name))
            return events[i].event;
    return ANNOUNCE_NONE;
}

/* Numbers that are none are taken as not said, but for the port's: who lists a
 * peer there has to know. */
static const char *
announce_pair(const struct pair *pair, struct announce *ret)
{
    uint64_t n;

    if (pair_is(pair, "port")) {
        if (!number_decode(pair, UINT16_MAX, &n))
            return "port is not a number from 0 to 65535";
        ret->port = (uint16_t)n;
    } else if (pair_is(pair, "left")) {
        ret->left = number_decode(pair, UINT64_MAX, &n) ? n : UINT64_MAX;
    } else if (pair_is(pair, "numwant")) {
        ret->want = -1;
        if (number_decode(pair, UINT64_MAX, &n))
            ret->want = n > TRACKER_WANT_MAX ? TRACKER_WANT_MAX : (int32_t)n;
    } else if (pair_is(pair, "event")) {
        ret->event = event_decode(pair);
    }
    return NULL;
}

static const char bad_hash[] = "info_hash is not 20 bytes";

const char *
query_announce(const char *query, struct announce *ret)
{
    const char *why = NULL, *at = query == NULL ? "" : query;
    bool found = false;
    struct pair pair;

    ret->event = ANNOUNCE_NONE;
    ret->port = 0;
    ret->want = -1;
    ret->left = UINT64_MAX;
    while (why == NULL && pair_next(&at, &pair)) {
        if (!pair_is(&pair, "info_hash"))
            why = announce_pair(&pair, ret);
        else if (found)
            why = "an announce is for one info_hash";
        else if (!bytes_decode(&pair, ret->infohash, SWARM_HASH_BYTES))
            why = bad_hash;
        else
            found = true;
    }
    return why == NULL && !found ? "info_hash is missing" : why;
}

const char *
query_scrape(const char *query, struct scrape *ret)
{
    const char *at = query == NULL ? "" : query;
    struct pair pair;

    ret->count = 0;
    while (ret->count < TRACKER_SCRAPE_MAX && pair_next(&at, &pair)) {
        if (!pair_is(&pair, "info_hash"))
            continue;
        if (!bytes_decode(&pair, ret->infohash[ret->count], SWARM_HASH_BYTES))
            return bad_hash;
        ret->count++;
    }
    return ret->count == 0 ? "a scrape names its torrents: info_hash is missing"
                           : NULL;
}

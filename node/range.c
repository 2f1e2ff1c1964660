/*
 * What part of a content a request asks for (range.h).
 *
 * Owns: reading of hostile header values.  Must not know where the bytes are.
 */
#include "node/range.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

static const char *
skip_blanks(const char *p)
{
    return p + strspn(p, " \t");
}

/* Digits at *p; too large numbers stick at the maximum. */
static bool
read_number(const char **p, uint64_t *ret)
{
    const char *s = *p;
    uint64_t value = 0;

    for (; isdigit((unsigned char)*s); s++) {
        unsigned digit = (unsigned)(*s - '0');

        value =
            value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
    }
    if (s == *p)
        return false;
    *p = s;
    *ret = value;
    return true;
}

/* One "bytes" range to *ret; false: whatever it is, the whole is the answer. */
static bool
read_range(const char *text, uint64_t size, struct range *ret)
{
    uint64_t first, last = UINT64_MAX;
    bool suffix;

    if (strncasecmp(text, "bytes=", 6) != 0)
        return false;
    text = skip_blanks(text + 6);
    suffix = *text == '-';
    if (suffix) {
        text++;
        if (!read_number(&text, &last))
            return false;
        first = last < size ? size - last : 0;
        if (last == 0)
            first = size; /* "-0" asks for nothing: not satisfiable */
        last = UINT64_MAX;
    } else {
        if (!read_number(&text, &first) || *text++ != '-')
            return false;
        if (isdigit((unsigned char)*text) && !read_number(&text, &last))
            return false;
        if (last < first)
            return false;
    }
    if (*skip_blanks(text) != '\0')
        return false;
    ret->kind = first < size ? RANGE_PART : RANGE_BEYOND;
    ret->first = first;
    ret->last = last < size ? last : size - 1;
    return true;
}

/* A list of entity tags, or "*".  Weak ones match only where that is legal. */
static bool
list_has(const char *list, const char *etag, bool weak)
{
    size_t len = strlen(etag);

    list = skip_blanks(list);
    if (list[0] == '*' && *skip_blanks(list + 1) == '\0')
        return true;
    while (*list != '\0') {
        bool is_weak = strncmp(list, "W/", 2) == 0;

        if (is_weak)
            list += 2;
        if (strncmp(list, etag, len) == 0 && (weak || !is_weak))
            return true;
        list = strchr(list, ',');
        if (list == NULL)
            return false;
        list = skip_blanks(list + 1);
    }
    return false;
}

struct range
range_decide(const struct range_headers *h, const char *etag, uint64_t size)
{
    struct range whole = {RANGE_WHOLE, 0, size - 1}, part = whole;

    if (h->if_match != NULL && !list_has(h->if_match, etag, false)) {
        whole.kind = RANGE_UNMATCHED;
        return whole;
    }
    if (h->if_none_match != NULL && list_has(h->if_none_match, etag, true)) {
        whole.kind = RANGE_NOT_MODIFIED;
        return whole;
    }
    if (h->range == NULL ||
        (h->if_range != NULL && strcmp(h->if_range, etag) != 0))
        return whole;
    return read_range(h->range, size, &part) ? part : whole;
}

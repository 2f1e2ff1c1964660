/*
 * Subjects: the one spelling of a path on a site that everybody compares, and
 * the way back to a URL.  Decodes as nginx does: escapes first, so that
 * "%2e%2e" is a dot segment and "%2f" a slash.
 */
#include "offload/origin.h"

#include <errno.h>
#include <string.h>

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The next byte of an escaped path, or -EINVAL. */
static int
byte_next(const char *path, size_t len, size_t *at)
{
    int high, low;

    if (path[*at] != '%')
        return (unsigned char)path[(*at)++];
    if (len - *at < 3)
        return -EINVAL;
    high = hex_digit(path[*at + 1]);
    low = hex_digit(path[*at + 2]);
    if (high < 0 || low < 0)
        return -EINVAL;
    *at += 3;
    return high << 4 | low;
}

/*
 * The length of the well-formed UTF-8 sequence at p (RFC 3629: no overlong
 * forms, no surrogates) if it is no control character, else 0.
 */
static size_t
utf8_length(const unsigned char *p, size_t left)
{
    size_t n;
    uint32_t c, least;

    if (p[0] < 0x80)
        return p[0] >= 0x20 && p[0] != 0x7f ? 1 : 0;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;
        c = p[0] & 0x1f;
        least = 0xa0; /* U+0080 .. U+009F are controls */
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;
        c = p[0] & 0x0f;
        least = 0x800;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        c = p[0] & 0x07;
        least = 0x10000;
    } else {
        return 0;
    }
    if (n > left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    return n;
}

static bool
text_ok(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len) {
        size_t n = utf8_length((const unsigned char *)text + i, len - i);

        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

/*
 * Ends the segment that starts after the last slash in dst.  A dot segment
 * goes, with the one before it if there are two; -EINVAL above the root.  The
 * text is checked here, so that also what goes later must be well formed.
 */
static int
segment_end(const char *dst, size_t *n)
{
    size_t start = *n;

    while (dst[start - 1] != '/')
        start--;
    if (!text_ok(dst + start, *n - start))
        return -EINVAL;
    if (*n - start == 1 && dst[start] == '.') {
        *n = start;
    } else if (*n - start == 2 && memcmp(dst + start, "..", 2) == 0) {
        if (start == 1)
            return -EINVAL;
        do
            start--;
        while (dst[start - 1] != '/');
        *n = start;
    }
    return 0;
}

int
ol_subject_normalise(const char *path, size_t len, char *dst, size_t cap,
                     size_t *ret_len)
{
    size_t at = 0, n = 0;

    for (size_t i = 0; i < len; i++) {
        if (path[i] == '?' || path[i] == '#')
            len = i;
    }
    if (len == 0 || path[0] != '/')
        return -EINVAL;

    while (at < len) {
        int c = byte_next(path, len, &at);

        if (c < 0)
            return c;
        if (c == '/' && n > 0) {
            if (segment_end(dst, &n) < 0)
                return -EINVAL;
            if (dst[n - 1] == '/')
                continue;
        }
        if (n + 1 >= cap)
            return -ENAMETOOLONG;
        dst[n++] = (char)c;
    }
    if (segment_end(dst, &n) < 0)
        return -EINVAL;
    dst[n] = '\0';
    *ret_len = n;
    return 0;
}

static bool
is_plain(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~/!$&'()*+,;=:@", c) != NULL);
}

int
ol_subject_encode(const char *sub, size_t len, char *dst, size_t cap)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)sub[i];
        size_t need = is_plain(sub[i]) ? 1 : 3;

        if (need >= cap - n || cap <= n)
            return -ENAMETOOLONG;
        if (need == 1) {
            dst[n] = (char)c;
        } else {
            dst[n] = '%';
            dst[n + 1] = digits[c >> 4];
            dst[n + 2] = digits[c & 15];
        }
        n += need;
    }
    if (n >= cap)
        return -ENAMETOOLONG;
    dst[n] = '\0';
    return (int)n;
}

bool
ol_basename_ok(const char *name)
{
    return name[0] != '\0' && strchr(name, '/') == NULL &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

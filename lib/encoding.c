/*
 * Base64url and hexadecimal, as strict as signatures and ids need them: for
 * each string of bytes there is exactly one text, and nothing else decodes.
 */
#include "offload/encoding.h"

#include <errno.h>

static const char base64url_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void
ol_base64url_encode(char *dst, const void *src, size_t len)
{
    const uint8_t *s = src;
    uint32_t acc = 0;
    unsigned bits = 0;

    for (size_t i = 0; i < len; i++) {
        acc = acc << 8 | s[i];
        bits += 8;
        while (bits >= 6) {
            bits -= 6;
            *dst++ = base64url_digits[acc >> bits & 63];
        }
    }
    if (bits != 0)
        *dst++ = base64url_digits[acc << (6 - bits) & 63];
    *dst = '\0';
}

static int
base64url_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

int
ol_base64url_decode(void *dst, size_t cap, size_t *ret_len, const char *src,
                    size_t len)
{
    uint8_t *d = dst;
    uint32_t acc = 0;
    unsigned bits = 0;
    size_t n = 0;

    if (len % 4 == 1)
        return -EINVAL;
    if (len / 4 * 3 + len % 4 * 3 / 4 > cap)
        return -ENOBUFS;

    for (size_t i = 0; i < len; i++) {
        int value = base64url_value(src[i]);

        if (value < 0)
            return -EINVAL;
        acc = acc << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            d[n++] = (uint8_t)(acc >> bits);
        }
    }
    /* Spare bits, or one text could be written in several ways. */
    if ((acc & ((1u << bits) - 1)) != 0)
        return -EINVAL;

    *ret_len = n;
    return 0;
}

int
ol_base64url_decode_exact(void *dst, size_t n, const char *src, size_t len)
{
    size_t got;

    if (len != OL_BASE64URL_LEN(n))
        return -EINVAL;
    if (ol_base64url_decode(dst, n, &got, src, len) < 0)
        return -EINVAL;
    return 0;
}

void
ol_hex_encode(char *dst, const void *src, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *s = src;

    for (size_t i = 0; i < len; i++) {
        *dst++ = digits[s[i] >> 4];
        *dst++ = digits[s[i] & 15];
    }
    *dst = '\0';
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
ol_hex_decode(void *dst, size_t n, const char *src, size_t len)
{
    uint8_t *d = dst;

    if (len % 2 != 0 || len / 2 != n)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        int high = hex_value(src[2 * i]), low = hex_value(src[2 * i + 1]);

        if (high < 0 || low < 0)
            return -EINVAL;
        d[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

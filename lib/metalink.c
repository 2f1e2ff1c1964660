/*
 * Metalink documents.  Owns their form, which is narrower than RFC 5854's:
 * what the readers in use stumble over is left out.  Knows no file and picks
 * no mirror.
 */
#include "offload/metalink.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "offload/encoding.h"
#include "offload/origin.h"
#include "offload/text.h"

/* XML 1.0, section 2.2, for what is UTF-8; blanks but ' ' would be changed. */
static bool
text_ok(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || strncmp(p, "\xef\xbf\xbe", 3) == 0 ||
            strncmp(p, "\xef\xbf\xbf", 3) == 0)
            return false;
    }
    return true;
}

int
ol_metalink_pieces(const struct ol_digest *digest, char **text, size_t *len)
{
    char hex[OL_HEX_LEN(OL_HASH_BYTES) + 1];
    struct ol_text made;
    FILE *out;

    if (ol_text_open(&made) < 0)
        return -ENOMEM;
    out = made.out;
    if (digest->piece_count <= OL_METALINK_PIECES) {
        fprintf(out, "<pieces length=\"%" PRIu32 "\" type=\"sha-256\">\n",
                digest->piece_size);
        for (uint32_t i = 0; i < digest->piece_count; i++) {
            ol_hex_encode(hex, digest->table + (size_t)i * OL_HASH_BYTES,
                          OL_HASH_BYTES);
            fprintf(out, "<hash>%s</hash>\n", hex);
        }
        fputs("</pieces>\n", out);
    }
    return ol_text_close(&made, text, len);
}

int
ol_metalink_head(const struct ol_metalink *metalink, char **text, size_t *len)
{
    char hex[OL_HEX_LEN(OL_HASH_BYTES) + 1];
    struct ol_text made;
    FILE *out;

    if (!ol_basename_ok(metalink->name) || !text_ok(metalink->name) ||
        ol_piece_count(metalink->size) == 0 || !text_ok(metalink->publisher) ||
        !text_ok(metalink->publisher_url))
        return -EINVAL;
    if (ol_text_open(&made) < 0)
        return -ENOMEM;
    out = made.out;

    /* One reader knows the type by the root element right behind line 1. */
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
          "<metalink xmlns=\"urn:ietf:params:xml:ns:metalink\">\n"
          "<file name=\"",
          out);
    ol_text_escape(out, metalink->name, SIZE_MAX);
    fputs("\">\n<publisher name=\"", out);
    ol_text_escape(out, metalink->publisher, SIZE_MAX);
    fputs("\" url=\"", out);
    ol_text_escape(out, metalink->publisher_url, SIZE_MAX);
    ol_hex_encode(hex, metalink->sha256, OL_HASH_BYTES);
    fprintf(out,
            "\"/>\n<size>%" PRIu64 "</size>\n"
            "<hash type=\"sha-256\">%s</hash>\n",
            metalink->size, hex);

    return ol_text_close(&made, text, len);
}

/* Where the host name of a URL is, without brackets and port. */
static const char *
url_host(const char *url, size_t *len)
{
    const char *host = strstr(url, "://");

    host = host != NULL ? host + 3 : url;
    if (*host == '[') {
        host++;
        *len = strcspn(host, "]/");
    } else {
        *len = strcspn(host, ":/?#");
    }
    return host;
}

static bool
same_host(const struct ol_metalink_url *a, const struct ol_metalink_url *b)
{
    size_t a_len, b_len;
    const char *a_host = url_host(a->url, &a_len);
    const char *b_host = url_host(b->url, &b_len);

    return a_len == b_len && strncasecmp(a_host, b_host, a_len) == 0;
}

/* One reader drops all URLs of a host name but the first. */
static bool
url_told(const struct ol_metalink *metalink, size_t index)
{
    const struct ol_metalink_url *urls = metalink->urls;
    size_t last = metalink->url_count - 1;

    if (index == last)
        return true;
    for (size_t i = 0; i < index; i++) {
        if (same_host(&urls[i], &urls[index]))
            return false;
    }
    return !same_host(&urls[index], &urls[last]);
}

static bool
is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

int
ol_metalink_tail(const struct ol_metalink *metalink, char **text, size_t *len)
{
    unsigned priority = 0;
    struct ol_text made;
    FILE *out;

    for (size_t i = 0; i < metalink->url_count; i++) {
        if (!text_ok(metalink->urls[i].url))
            return -EINVAL;
    }
    if (ol_text_open(&made) < 0)
        return -ENOMEM;
    out = made.out;

    for (size_t i = 0; i < metalink->url_count; i++) {
        const char *location = metalink->urls[i].location;

        if (!url_told(metalink, i))
            continue;
        fprintf(out, "<url priority=\"%u\"", ++priority);
        /* ISO 3166-1, which readers know in lower case. */
        if (location != NULL && strlen(location) == 2 &&
            is_letter(location[0]) && is_letter(location[1]))
            fprintf(out, " location=\"%c%c\"", location[0] | 0x20,
                    location[1] | 0x20);
        fputc('>', out);
        ol_text_escape(out, metalink->urls[i].url, SIZE_MAX);
        fputs("</url>\n", out);
    }
    fputs("</file>\n</metalink>\n", out);

    return ol_text_close(&made, text, len);
}

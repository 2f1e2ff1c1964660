/*
 * The heads of answers (head.h).
 *
 * Owns: header lines and which MIME types are harmless.  Must not know how
 * the body comes about.
 */
#include "node/head.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define TYPE_MAX 128

bool
head_type_ok(const char *type)
{
    /* What a browser would run, render as a page, or take apart as one. */
    static const char *const active[] = {
        "html", "xml",       "svg",      "script",  "xsl", "mathml",
        "mml",  "multipart", "message/", "x-mixed", NULL};
    char lower[TYPE_MAX + 1];
    size_t len = strcspn(type, "; \t");

    if (len == 0 || strlen(type) > TYPE_MAX || memchr(type, '/', len) == NULL)
        return false;
    for (size_t i = 0; i < len; i++)
        lower[i] = (char)tolower((unsigned char)type[i]);
    lower[len] = '\0';
    for (size_t i = 0; active[i] != NULL; i++)
        if (strstr(lower, active[i]) != NULL)
            return false;
    for (const char *p = type; *p != '\0'; p++)
        if (*p < 0x20 || *p > 0x7e)
            return false;
    return true;
}

static void
fill_digest(struct head *head, const uint8_t sha256[OL_HASH_BYTES])
{
    unsigned char text[64];

    EVP_EncodeBlock(text, sha256, OL_HASH_BYTES);
    snprintf(head->digest, sizeof(head->digest),
             "Repr-Digest: sha-256=:%s:", (const char *)text);
}

void
head_fill(struct head *head, const struct content *content,
          const struct range *range)
{
    const struct ol_manifest *m = &content->open->manifest;
    unsigned n = 0;

    snprintf(head->etag, sizeof(head->etag), "ETag: \"%s\"", content->hex);
    head->lines[n++] = head->etag;
    head->lines[n++] =
        range->kind == RANGE_BEYOND || range->kind == RANGE_UNMATCHED
            ? HEAD_NO_STORE
            : HEAD_CACHE;
    head->lines[n++] = HEAD_CORS;
    head->lines[n++] = HEAD_EXPOSE;
    head->lines[n++] = HEAD_NOSNIFF;
    head->lines[n++] = HEAD_POLICY;
    head->lines[n++] = HEAD_SANDBOX;
    head->lines[n++] = "Accept-Ranges: bytes";
    if (range->kind == RANGE_WHOLE || range->kind == RANGE_PART) {
        snprintf(head->type, sizeof(head->type), "Content-Type: %s",
                 head_type_ok(m->type) ? m->type : "application/octet-stream");
        head->lines[n++] = head->type;
    }
    if (range->kind == RANGE_WHOLE) {
        fill_digest(head, m->sha256);
        head->lines[n++] = head->digest;
    } else if (range->kind == RANGE_PART) {
        snprintf(head->range, sizeof(head->range),
                 "Content-Range: bytes %llu-%llu/%llu",
                 (unsigned long long)range->first,
                 (unsigned long long)range->last,
                 (unsigned long long)content->size);
        head->lines[n++] = head->range;
    } else if (range->kind == RANGE_BEYOND) {
        snprintf(head->range, sizeof(head->range),
                 "Content-Range: bytes */%llu",
                 (unsigned long long)content->size);
        head->lines[n++] = head->range;
    }
    head->lines[n] = NULL;
}

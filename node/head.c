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

/* By its site, for the whole of it under this name. */
static bool
is_signed(const struct ol_manifest *m, const struct range *range,
          const char *name, int64_t now)
{
    return range->kind == RANGE_WHOLE && m->sri_name != NULL &&
           strcmp(name, m->sri_name) == 0 && now < m->sri.expires &&
           strlen(m->type) <= TYPE_MAX && ol_sri_type(m->type, strlen(m->type));
}

static unsigned
fill_sri(struct head *head, const struct ol_manifest *m, unsigned n)
{
    char text[OL_SRI_LINE_MAX];

    ol_sri_digest(m->sha256, text);
    snprintf(head->sri[0], sizeof(head->sri[0]), "Unencoded-Digest: %s", text);
    ol_sri_input(&m->sri, text);
    snprintf(head->sri[1], sizeof(head->sri[1]), "Signature-Input: %s", text);
    ol_sri_signature(&m->sri, text);
    snprintf(head->sri[2], sizeof(head->sri[2]), "Signature: %s", text);
    for (unsigned i = 0; i < 3; i++)
        head->lines[n++] = head->sri[i];
    return n;
}

void
head_fill(struct head *head, const struct content *content,
          const struct range *range, const char *name, int64_t now)
{
    const struct ol_manifest *m = &content->open->manifest;
    bool sri = is_signed(m, range, name, now);
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
                 sri || head_type_ok(m->type) ? m->type
                                              : "application/octet-stream");
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
    if (sri)
        n = fill_sri(head, m, n);
    head->lines[n] = NULL;
}

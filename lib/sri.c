/*
 * Signature-based integrity (sri.h).  Owns: what is signed, to the letter, and
 * how the headers spell it.  Pure: the time is passed in.
 */
#include "offload/sri.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TAG "ed25519-integrity"
#define BASE64_MAX 92 /* of a signature, with the NUL */
#define TIME_MAX ((INT64_C(1) << 53) - 1)

bool
ol_sri_type(const char *type, size_t len)
{
    static const char *const types[] = {"text/javascript", "text/css",
                                        "application/javascript",
                                        "application/x-javascript"};
    const char *end = memchr(type, ';', len);
    size_t n = end == NULL ? len : (size_t)(end - type);

    while (n > 0 && (type[n - 1] == ' ' || type[n - 1] == '\t'))
        n--;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strlen(types[i]) == n && strncasecmp(type, types[i], n) == 0)
            return true;
    return false;
}

/* Base64 with padding, as structured fields have it. */
static void
base64(const uint8_t *bytes, size_t len, char dst[BASE64_MAX])
{
    EVP_EncodeBlock((unsigned char *)dst, bytes, (int)len);
}

/* The raw public key in that alphabet. */
static void
keyid(const char *x, char dst[OL_KEY_CHARS + 2])
{
    for (size_t i = 0; i < OL_KEY_CHARS; i++)
        dst[i] = (char)(x[i] == '-' ? '+' : x[i] == '_' ? '/' : x[i]);
    dst[OL_KEY_CHARS] = '=';
    dst[OL_KEY_CHARS + 1] = '\0';
}

/* What was signed, and how: the value of "@signature-params". */
static void
params(const struct ol_sri *sri, char dst[OL_SRI_LINE_MAX])
{
    char id[OL_KEY_CHARS + 2];

    keyid(sri->key, id);
    snprintf(dst, OL_SRI_LINE_MAX,
             "(\"unencoded-digest\";sf \"@path\";req);keyid=\"%s\";"
             "created=%lld;expires=%lld;tag=\"" TAG "\"",
             id, (long long)sri->created, (long long)sri->expires);
}

static bool
path_ok(const char *path, size_t len)
{
    if (len == 0 || path[0] != '/')
        return false;
    for (size_t i = 0; i < len; i++)
        if (path[i] <= ' ' || path[i] > '~' || path[i] == '?' || path[i] == '#')
            return false;
    return true;
}

/* RFC 9421 section 2.5; malloc'ed. */
static char *
signature_base(const struct ol_sri *sri, const char *path, size_t len,
               const uint8_t sha256[OL_HASH_BYTES])
{
    char digest[OL_SRI_LINE_MAX], input[OL_SRI_LINE_MAX];
    size_t cap = len + 3 * OL_SRI_LINE_MAX;
    char *text = malloc(cap);

    if (text == NULL)
        return NULL;
    ol_sri_digest(sha256, digest);
    params(sri, input);
    snprintf(text, cap,
             "\"unencoded-digest\";sf: %s\n"
             "\"@path\";req: %.*s\n"
             "\"@signature-params\": %s",
             digest, (int)len, path, input);
    return text;
}

int
ol_sri_sign(const struct ol_key *key, const char *path, size_t len,
            const uint8_t sha256[OL_HASH_BYTES], int64_t created,
            int64_t expires, struct ol_sri *ret)
{
    struct ol_sri sri = {.created = created, .expires = expires};
    char *text;
    int rc;

    if (len > OL_SRI_PATH_MAX)
        return -ENAMETOOLONG;
    if (!path_ok(path, len) || created < 0 || expires <= created ||
        expires > TIME_MAX)
        return -EINVAL;
    memcpy(sri.key, ol_key_x(key), sizeof(sri.key));
    text = signature_base(&sri, path, len, sha256);
    if (text == NULL)
        return -ENOMEM;
    rc = ol_key_sign(key, text, strlen(text), sri.sig);
    free(text);
    if (rc == 0)
        *ret = sri;
    return rc;
}

void
ol_sri_digest(const uint8_t sha256[OL_HASH_BYTES], char ret[OL_SRI_LINE_MAX])
{
    char text[BASE64_MAX];

    base64(sha256, OL_HASH_BYTES, text);
    snprintf(ret, OL_SRI_LINE_MAX, "sha-256=:%s:", text);
}

void
ol_sri_input(const struct ol_sri *sri, char ret[OL_SRI_LINE_MAX])
{
    char text[OL_SRI_LINE_MAX - sizeof("sig1=")];

    params(sri, ret);
    memcpy(text, ret, strlen(ret) + 1);
    snprintf(ret, OL_SRI_LINE_MAX, "sig1=%s", text);
}

void
ol_sri_signature(const struct ol_sri *sri, char ret[OL_SRI_LINE_MAX])
{
    char text[BASE64_MAX];

    base64(sri->sig, OL_SIG_BYTES, text);
    snprintf(ret, OL_SRI_LINE_MAX, "sig1=:%s:", text);
}

/* Accept-Signature */

struct reader {
    const char *p, *end;
};

struct word {
    const char *text;
    size_t len;
};

struct asked { /* by one member; what it does not say is empty */
    struct word keyid, tag;
    bool other; /* for something that we do not sign */
};

static bool
at(const struct reader *r, char c)
{
    return r->p < r->end && *r->p == c;
}

static bool
take(struct reader *r, char c)
{
    if (!at(r, c))
        return false;
    r->p++;
    return true;
}

static bool
is(struct word word, const char *text)
{
    return word.len == strlen(text) && memcmp(word.text, text, word.len) == 0;
}

/* Lower-case letters, digits, what is in `more`, and capitals if upper. */
static struct word
take_run(struct reader *r, const char *more, bool upper)
{
    struct word word = {r->p, 0};

    while (r->p < r->end &&
           ((*r->p >= 'a' && *r->p <= 'z') || (*r->p >= '0' && *r->p <= '9') ||
            (upper && *r->p >= 'A' && *r->p <= 'Z') ||
            (*r->p != '\0' && strchr(more, *r->p) != NULL)))
        r->p++;
    word.len = (size_t)(r->p - word.text);
    return word;
}

static bool
take_key(struct reader *r, struct word *ret)
{
    *ret = take_run(r, "_-.*", false);
    return ret->len > 0 && ((ret->text[0] >= 'a' && ret->text[0] <= 'z') ||
                            ret->text[0] == '*');
}

/* Left as it is written: neither a key nor our tag has an escape. */
static bool
take_string(struct reader *r, struct word *ret)
{
    ret->text = r->p;
    while (r->p < r->end && *r->p != '"') {
        if (*r->p < ' ' || *r->p > '~')
            return false;
        if (take(r, '\\') && !at(r, '"') && !at(r, '\\'))
            return false;
        r->p++;
    }
    ret->len = (size_t)(r->p - ret->text);
    return take(r, '"');
}

/* A string's text; of anything else only that it is there. */
static bool
take_bare(struct reader *r, struct word *ret)
{
    *ret = (struct word){"", 0};
    if (take(r, '"'))
        return take_string(r, ret);
    if (take(r, ':')) {
        take_run(r, "+/=", true);
        return take(r, ':');
    }
    if (take(r, '?'))
        return take(r, '0') || take(r, '1');
    return take_run(r, "-.!#$%&'*+^_`|~:/", true).len > 0;
}

static bool
take_params(struct reader *r, struct asked *asked)
{
    struct word key, value;

    while (take(r, ';')) {
        while (take(r, ' '))
            continue;
        value = (struct word){"", 0};
        if (!take_key(r, &key) || (take(r, '=') && !take_bare(r, &value)))
            return false;
        if (asked == NULL)
            continue;
        if (is(key, "keyid"))
            asked->keyid = value;
        else if (is(key, "tag"))
            asked->tag = value;
        else if (is(key, "nonce") || is(key, "alg"))
            asked->other = true;
    }
    return true;
}

/* key=(items);parameters */
static bool
take_member(struct reader *r, struct asked *asked)
{
    struct word word;

    if (!take_key(r, &word) || !take(r, '=') || !take(r, '('))
        return false;
    while (take(r, ' '))
        continue;
    while (!take(r, ')')) {
        if (!take_bare(r, &word) || !take_params(r, NULL) ||
            (!at(r, ' ') && !at(r, ')')))
            return false;
        while (take(r, ' '))
            continue;
    }
    return take_params(r, asked);
}

static void
skip_blanks(struct reader *r)
{
    while (take(r, ' ') || take(r, '\t'))
        continue;
}

bool
ol_sri_asks(const char *value, size_t len, const char *x)
{
    struct reader r = {value, value + len};
    char id[OL_KEY_CHARS + 2];
    bool found = false;

    if (len == 0 || len > OL_SRI_ASK_MAX)
        return false;
    keyid(x, id);
    skip_blanks(&r);
    do {
        struct asked asked = {{"", 0}, {"", 0}, false};

        skip_blanks(&r);
        if (!take_member(&r, &asked))
            return false;
        if (is(asked.keyid, id) && is(asked.tag, TAG) && !asked.other)
            found = true;
        skip_blanks(&r);
    } while (take(&r, ','));
    return found && r.p == r.end;
}

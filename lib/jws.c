/*
 * Compact JWS, signed and read.  Owns: the form of a token and its header, in
 * the one spelling that is allowed.  Must not know what a payload means, nor
 * what time it is.
 */
#include "offload/jws.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offload/encoding.h"
#include "offload/json.h"

#define HEADER_MAX 256 /* decoded; ours take about 100 */
#define SIG_CHARS OL_BASE64URL_LEN(OL_SIG_BYTES)

int
ol_jws_sign(const struct ol_key *key, const char *typ, const json_t *payload,
            char **ret, size_t *ret_len)
{
    char header[HEADER_MAX];
    uint8_t sig[OL_SIG_BYTES];
    char *body = NULL, *token = NULL;
    size_t head_len, body_len, input_len;
    int rc, n;

    n = snprintf(header, sizeof(header),
                 "{\"alg\":\"EdDSA\",\"typ\":\"%s\",\"kid\":\"%s\"}", typ,
                 ol_key_id(key));
    if (n < 0 || (size_t)n >= sizeof(header))
        return -EINVAL;
    head_len = OL_BASE64URL_LEN((size_t)n);

    body = json_dumps(payload, JSON_COMPACT);
    if (body == NULL)
        return -ENOMEM;
    body_len = strlen(body);
    input_len = head_len + 1 + OL_BASE64URL_LEN(body_len);
    if (input_len + 1 + SIG_CHARS > OL_JWS_MAX) {
        rc = -EMSGSIZE;
        goto out;
    }
    token = malloc(input_len + 1 + SIG_CHARS + 1);
    if (token == NULL) {
        rc = -ENOMEM;
        goto out;
    }
    ol_base64url_encode(token, header, (size_t)n);
    token[head_len] = '.';
    ol_base64url_encode(token + head_len + 1, body, body_len);
    rc = ol_key_sign(key, token, input_len, sig);
    if (rc < 0)
        goto out;
    token[input_len] = '.';
    ol_base64url_encode(token + input_len + 1, sig, sizeof(sig));

    *ret = token;
    *ret_len = input_len + 1 + SIG_CHARS;
    token = NULL;
out:
    free(token);
    free(body);
    return rc;
}

static int
header_read(const json_t *header, const char *typ, char kid[OL_KEY_CHARS + 1],
            struct ol_error *err)
{
    uint8_t id[OL_KEY_BYTES];
    const char *text;
    struct ol_error why;

    if (ol_json_string(header, "alg", 16, &text, &why) < 0)
        return ol_error_set(err, EBADMSG, "JWS header: %s", why.text);
    if (strcmp(text, "EdDSA") != 0)
        return ol_error_set(err, EBADMSG,
                            "JWS header: alg is \"%s\", "
                            "not \"EdDSA\"",
                            text);
    if (ol_json_string(header, "typ", 64, &text, &why) < 0)
        return ol_error_set(err, EBADMSG, "JWS header: %s", why.text);
    if (strcmp(text, typ) != 0)
        return ol_error_set(err, EBADMSG,
                            "JWS header: typ is \"%s\", "
                            "not \"%s\"",
                            text, typ);
    if (ol_json_string(header, "kid", OL_KEY_CHARS, &text, &why) < 0)
        return ol_error_set(err, EBADMSG, "JWS header: %s", why.text);
    if (ol_base64url_decode_exact(id, sizeof(id), text, strlen(text)) < 0)
        return ol_error_set(err, EBADMSG, "JWS header: kid is no thumbprint");
    if (json_object_size(header) != 3)
        return ol_error_set(err, EBADMSG,
                            "JWS header: %zu members, not just "
                            "alg, typ, kid",
                            json_object_size(header));
    memcpy(kid, text, OL_KEY_CHARS + 1);
    return 0;
}

static int
header_parse(const char *text, size_t len, const char *typ,
             char kid[OL_KEY_CHARS + 1], struct ol_error *err)
{
    char raw[HEADER_MAX];
    size_t raw_len;
    struct ol_error why;
    json_t *header;
    int rc;

    if (ol_base64url_decode(raw, sizeof(raw), &raw_len, text, len) < 0)
        return ol_error_set(err, EBADMSG,
                            "JWS header: not strict base64url "
                            "of at most %d bytes",
                            HEADER_MAX);
    header = ol_json_parse(raw, raw_len, &why);
    if (header == NULL)
        return ol_error_set(err, EBADMSG, "JWS header: %s", why.text);
    rc = header_read(header, typ, kid, err);
    json_decref(header);
    return rc;
}

static int
payload_parse(const char *text, size_t len, json_t **ret, struct ol_error *err)
{
    struct ol_error why;
    json_t *payload;
    char *raw;
    size_t raw_len;

    raw = malloc(len / 4 * 3 + 3);
    if (raw == NULL)
        return ol_error_set(err, ENOMEM, "JWS payload: out of memory");
    if (ol_base64url_decode(raw, len / 4 * 3 + 3, &raw_len, text, len) < 0) {
        free(raw);
        return ol_error_set(err, EBADMSG, "JWS payload: not strict base64url");
    }
    payload = ol_json_parse(raw, raw_len, &why);
    free(raw);
    if (payload == NULL)
        return ol_error_set(err, EBADMSG, "JWS payload: %s", why.text);
    *ret = payload;
    return 0;
}

/*
 * All but the payload, whose text it finds: cheap, so that a stranger's large
 * payload is not parsed for nothing.
 */
static int
token_split(const char *token, size_t len, const char *typ, struct ol_jws *jws,
            const char **ret_body, size_t *ret_body_len, struct ol_error *err)
{
    const char *end, *body, *sig;

    if (len > OL_JWS_MAX)
        return ol_error_set(err, EBADMSG, "JWS: %zu characters, more than %d",
                            len, OL_JWS_MAX);
    end = token + len;
    body = memchr(token, '.', len);
    sig = body != NULL ? memchr(body + 1, '.', (size_t)(end - body - 1)) : NULL;
    if (sig == NULL)
        return ol_error_set(err, EBADMSG, "JWS: not three parts with dots");

    /* A dot in the signature is refused as any other wrong character. */
    if (ol_base64url_decode_exact(jws->sig, sizeof(jws->sig), sig + 1,
                                  (size_t)(end - sig - 1)) < 0)
        return ol_error_set(err, EBADMSG,
                            "JWS signature: not %d bytes in strict base64url",
                            OL_SIG_BYTES);
    jws->signing_input = token;
    jws->signing_len = (size_t)(sig - token);
    *ret_body = body + 1;
    *ret_body_len = (size_t)(sig - body - 1);
    return header_parse(token, (size_t)(body - token), typ, jws->kid, err);
}

int
ol_jws_parse(const char *token, size_t len, const char *typ, struct ol_jws *ret,
             struct ol_error *err)
{
    struct ol_jws jws = {0};
    const char *body;
    size_t body_len;
    int rc;

    rc = token_split(token, len, typ, &jws, &body, &body_len, err);
    if (rc == 0)
        rc = payload_parse(body, body_len, &jws.payload, err);
    if (rc == 0)
        *ret = jws;
    return rc;
}

int
ol_jws_kid(const char *token, size_t len, const char *typ,
           char ret[OL_KEY_CHARS + 1], struct ol_error *err)
{
    struct ol_jws jws = {0};
    const char *body;
    size_t body_len;
    int rc;

    rc = token_split(token, len, typ, &jws, &body, &body_len, err);
    if (rc == 0)
        memcpy(ret, jws.kid, sizeof(jws.kid));
    return rc;
}

int
ol_jws_verify(const struct ol_jws *jws, const struct ol_key *key,
              struct ol_error *err)
{
    int rc;

    if (strcmp(jws->kid, ol_key_id(key)) != 0)
        return ol_error_set(err, EKEYREJECTED, "JWS: kid %s is not key %s",
                            jws->kid, ol_key_id(key));
    rc = ol_key_verify(key, jws->signing_input, jws->signing_len, jws->sig);
    if (rc == -EKEYREJECTED)
        return ol_error_set(err, EKEYREJECTED,
                            "JWS: the signature is not that of key %s",
                            jws->kid);
    if (rc < 0)
        return ol_error_set(err, -rc,
                            "JWS: the signature could not be checked");
    return 0;
}

int
ol_jws_open(const char *token, size_t len, const char *typ,
            const struct ol_keyset *keys, struct ol_jws *ret,
            struct ol_error *err)
{
    const struct ol_key *key;
    struct ol_jws jws = {0};
    const char *body;
    size_t body_len;
    int rc;

    rc = token_split(token, len, typ, &jws, &body, &body_len, err);
    if (rc < 0)
        return rc;
    key = ol_keyset_find(keys, jws.kid);
    if (key == NULL)
        return ol_error_set(err, ENOKEY,
                            "JWS: kid %s is none of the %zu keys of the signer",
                            jws.kid, keys->count);
    rc = ol_jws_verify(&jws, key, err);
    if (rc == 0)
        rc = payload_parse(body, body_len, &jws.payload, err);
    if (rc == 0)
        *ret = jws;
    return rc;
}

void
ol_jws_clear(struct ol_jws *jws)
{
    json_decref(jws->payload);
    memset(jws, 0, sizeof(*jws));
}

/*
 * Tokens that no honest signer makes: any header, any payload, signed all the
 * same.  For tests of what readers refuse.
 */
#ifndef FORGE_H
#define FORGE_H

#include "offload/encoding.h"
#include "offload/key.h"
#include "tap.h"

/* header.payload.signature, both encoded from text; the caller frees. */
static inline char *
forge_token(const struct ol_key *key, const char *header, const char *payload)
{
    size_t header_len = OL_BASE64URL_LEN(strlen(header));
    size_t len = header_len + 1 + OL_BASE64URL_LEN(strlen(payload));
    char *token = malloc(len + 1 + OL_BASE64URL_LEN(OL_SIG_BYTES) + 1);
    uint8_t sig[OL_SIG_BYTES];

    must(token != NULL);
    ol_base64url_encode(token, header, strlen(header));
    token[header_len] = '.';
    ol_base64url_encode(token + header_len + 1, payload, strlen(payload));
    must(ol_key_sign(key, token, len, sig) == 0);
    token[len] = '.';
    ol_base64url_encode(token + len + 1, sig, sizeof(sig));
    return token;
}

/* The header that Offload wants, for this key. */
static inline const char *
forge_header(const struct ol_key *key, const char *typ, char dst[200])
{
    snprintf(dst, 200, "{\"alg\":\"EdDSA\",\"typ\":\"%s\",\"kid\":\"%s\"}", typ,
             ol_key_id(key));
    return dst;
}

#endif

/*
 * Compact JWS (RFC 7515) with EdDSA (RFC 8037), as strict as Offload wants it:
 * header members exactly alg, typ, kid; typ pinned by the caller; unpadded
 * base64url; at most OL_JWS_MAX characters in all.
 */
#ifndef OL_JWS_H
#define OL_JWS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "offload/error.h"
#include "offload/key.h"

#define OL_JWS_MAX 262144

#define OL_TYP_MANIFEST "offload+jwt"
#define OL_TYP_SITE "offload-site+jwt"
#define OL_TYP_SYNC "offload-sync+jwt"
#define OL_TYP_SYNC_ANSWER "offload-sync-answer+jwt"
#define OL_TYP_REGISTER "offload-register+jwt"
#define OL_TYP_CALLBACK "offload-callback+jwt"
#define OL_TYP_HEARTBEAT "offload-heartbeat+jwt"
#define OL_TYP_ASSIGN "offload-assign+jwt"

struct ol_jws {
    char kid[OL_KEY_CHARS + 1];
    json_t *payload;           /* strict JSON object (json.h), owned */
    const char *signing_input; /* borrowed from the token */
    size_t signing_len;
    uint8_t sig[OL_SIG_BYTES];
};

/* Signs an object.  *ret is NUL-terminated; the caller frees it. */
int ol_jws_sign(const struct ol_key *key, const char *typ,
                const json_t *payload, char **ret, size_t *ret_len);

/*
 * Everything but the signature: form, alg, typ, kid, strict JSON payload.  The
 * token must outlive *ret.  Look the kid up, then call ol_jws_verify before
 * believing anything in the payload.
 */
int ol_jws_parse(const char *token, size_t len, const char *typ,
                 struct ol_jws *ret, struct ol_error *err);
int ol_jws_verify(const struct ol_jws *jws, const struct ol_key *key,
                  struct ol_error *err);
/*
 * Form, alg, typ and kid alone: to look the key up before a stranger's payload
 * is parsed, by ol_jws_open.
 */
int ol_jws_kid(const char *token, size_t len, const char *typ,
               char ret[OL_KEY_CHARS + 1], struct ol_error *err);
/*
 * Both, with the key found by kid; -ENOKEY: no such kid in the set.  The
 * payload is parsed only once its signature has been found good.
 */
int ol_jws_open(const char *token, size_t len, const char *typ,
                const struct ol_keyset *keys, struct ol_jws *ret,
                struct ol_error *err);
void ol_jws_clear(struct ol_jws *jws);

#define OL_LEEWAY_S 60

/*
 * iat and exp (whole seconds since 1970) against now, with OL_LEEWAY_S of
 * leeway.  -ETIME: expired or in the future (answer with Date, so that the
 * sender can correct itself); -EBADMSG: missing, or exp before iat.
 */
int ol_claims_check_time(const json_t *payload, int64_t now,
                         struct ol_error *err);
/* A string claim that must be exactly `expected`; -EBADMSG else. */
int ol_claims_check_string(const json_t *payload, const char *name,
                           const char *expected, struct ol_error *err);

#endif

/*
 * Ed25519 keys (RFC 8032): PKCS#8 PEM, JWK (RFC 8037), thumbprint (RFC 7638).
 * A key's id is its thumbprint, 43 characters of base64url; in configuration a
 * public key is its 43-character "x".
 */
#ifndef OL_KEY_H
#define OL_KEY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "offload/error.h"

#define OL_KEY_BYTES 32 /* raw public key, raw thumbprint */
#define OL_KEY_CHARS 43 /* their base64url, without the NUL */
#define OL_SIG_BYTES 64
#define OL_KEYSET_MAX 16 /* keys in one JWK Set */
#define OL_KEYFILE_MAX 16384

struct ol_key; /* immutable once made: safe to share between threads */

int ol_key_generate(struct ol_key **ret);
int ol_key_from_pem(const char *pem, size_t len, struct ol_key **ret,
                    struct ol_error *err);
/* From the 43 characters of "x": a public key. */
int ol_key_from_x(const char *x, size_t len, struct ol_key **ret,
                  struct ol_error *err);
void ol_key_free(struct ol_key *key); /* wipes; NULL is legal */

bool ol_key_is_private(const struct ol_key *key);
const char *ol_key_x(const struct ol_key *key);  /* NUL-terminated */
const char *ol_key_id(const struct ol_key *key); /* thumbprint, NUL-term. */
const uint8_t *ol_key_id_bytes(const struct ol_key *key); /* 32 bytes */

/* PKCS#8 PEM of a private key; the caller frees with ol_pem_free. */
int ol_key_to_pem(const struct ol_key *key, char **ret, size_t *ret_len);
void ol_pem_free(char *pem, size_t len); /* wipes */
/* {"kty","crv","x","kid","use","alg"}: new reference, NULL without memory. */
json_t *ol_key_to_jwk(const struct ol_key *key);

int ol_key_sign(const struct ol_key *key, const void *data, size_t len,
                uint8_t sig[OL_SIG_BYTES]);
/* 0, or -EKEYREJECTED if the signature is not this key's over data. */
int ol_key_verify(const struct ol_key *key, const void *data, size_t len,
                  const uint8_t sig[OL_SIG_BYTES]);

/*
 * Key files (lib/keyfile.c, the one place where the library touches a file).
 * Load refuses what is not a regular file, is readable or writable by group
 * or others, is larger than OL_KEYFILE_MAX, or is not a private Ed25519 key
 * (it says which type it is).  Save creates with O_EXCL and mode 0600,
 * fsyncs file and folder, never overwrites (-EEXIST).
 */
int ol_key_load(const char *path, struct ol_key **ret, struct ol_error *err);
int ol_key_save(const struct ol_key *key, const char *path,
                struct ol_error *err);

/* A JWK Set (RFC 7517 section 5), the signing key first; others are ignored. */
struct ol_keyset {
    size_t count;
    struct ol_key *keys[OL_KEYSET_MAX];
};

/* -EBADMSG: no set, or one without an Ed25519 key.  Clear frees the keys. */
int ol_keyset_parse(const char *text, size_t len, struct ol_keyset *ret,
                    struct ol_error *err);
void ol_keyset_clear(struct ol_keyset *set);
/* NULL if no key has this id (kid_len characters). */
const struct ol_key *ol_keyset_find(const struct ol_keyset *set,
                                    const char *kid);
/* {"keys":[...]} as text (free()), NULL without memory. */
char *ol_keyset_dump(const struct ol_key *const *keys, size_t count);

#endif

/*
 * Signature-based integrity: headers by which a browser verifies a script or a
 * style with a key that the page names (RFC 9421 over Unencoded-Digest, tag
 * "ed25519-integrity").  A signature is for one path and some bytes: nobody
 * can answer with another file that the site has signed.
 */
#ifndef OL_SRI_H
#define OL_SRI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "offload/content.h"
#include "offload/key.h"

#define OL_SRI_PATH_MAX 12288 /* characters of a path that is signed */
#define OL_SRI_NAME_MAX 765   /* 255 bytes, percent-encoded */
#define OL_SRI_ASK_MAX 4096   /* the longest Accept-Signature that is read */
#define OL_SRI_LINE_MAX 256   /* a header's value, with the NUL */

/* All that the values say but the digest; times in seconds. */
struct ol_sri {
    char key[OL_KEY_CHARS + 1]; /* "x" of the public key */
    int64_t created, expires;
    uint8_t sig[OL_SIG_BYTES];
};

/* Scripts and styles are all that a browser checks so; with parameters. */
bool ol_sri_type(const char *type, size_t len);

/*
 * path: as the request line has it, without a query.  -EINVAL: no such path,
 * or not a private key; -ENAMETOOLONG.
 */
int ol_sri_sign(const struct ol_key *key, const char *path, size_t len,
                const uint8_t sha256[OL_HASH_BYTES], int64_t created,
                int64_t expires, struct ol_sri *ret);

/* The values of Unencoded-Digest, Signature-Input, and Signature. */
void ol_sri_digest(const uint8_t sha256[OL_HASH_BYTES],
                   char ret[OL_SRI_LINE_MAX]);
void ol_sri_input(const struct ol_sri *sri, char ret[OL_SRI_LINE_MAX]);
void ol_sri_signature(const struct ol_sri *sri, char ret[OL_SRI_LINE_MAX]);

/*
 * Does an Accept-Signature (a dictionary, RFC 8941) ask for a signature of
 * this kind by the key with this "x"?  What is malformed asks for nothing.
 */
bool ol_sri_asks(const char *value, size_t len, const char *x);

#endif

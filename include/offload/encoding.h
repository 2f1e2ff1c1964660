/*
 * Base64url without padding (RFC 4648 section 5, strict: no padding, no
 * blanks, spare bits zero) and lower-case hexadecimal.
 */
#ifndef OL_ENCODING_H
#define OL_ENCODING_H

#include <stddef.h>
#include <stdint.h>

/* Characters that n bytes take, without the NUL. */
#define OL_BASE64URL_LEN(n) ((4 * (n) + 2) / 3)
#define OL_HEX_LEN(n) (2 * (n))

/* Writes OL_BASE64URL_LEN(len) characters and a NUL to dst. */
void ol_base64url_encode(char *dst, const void *src, size_t len);

/*
 * Decodes exactly len characters.  dst holds cap bytes; *ret_len is what was
 * written.  -EINVAL: not strict base64url; -ENOBUFS: more than cap bytes.
 */
int ol_base64url_decode(void *dst, size_t cap, size_t *ret_len, const char *src,
                        size_t len);

/* Decodes to exactly n bytes, else -EINVAL. */
int ol_base64url_decode_exact(void *dst, size_t n, const char *src, size_t len);

/* Writes OL_HEX_LEN(len) characters and a NUL to dst. */
void ol_hex_encode(char *dst, const void *src, size_t len);

/* Decodes exactly 2n lower-case characters to n bytes, else -EINVAL. */
int ol_hex_decode(void *dst, size_t n, const char *src, size_t len);

#endif

/*
 * Strict JSON over jansson: objects only, no duplicate names, no depth above
 * 32, no U+0000, integers within +-(2^53 - 1), no reals.
 */
#ifndef OL_JSON_H
#define OL_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "offload/error.h"

#define OL_JSON_DEPTH 32

/* A new reference to the object, or NULL (err says why). */
json_t *ol_json_parse(const char *text, size_t len, struct ol_error *err);

/*
 * Members of an object.  -ENOENT: absent; -EBADMSG: of another type or out of
 * bounds (err names the member).  Strings are borrowed from obj.
 */
int ol_json_string(const json_t *obj, const char *name, size_t max_len,
                   const char **ret, struct ol_error *err);
int ol_json_uint(const json_t *obj, const char *name, uint64_t max,
                 uint64_t *ret, struct ol_error *err);
/* An array (or object) of at most max_items; borrowed. */
int ol_json_array(const json_t *obj, const char *name, size_t max_items,
                  json_t **ret, struct ol_error *err);
int ol_json_object(const json_t *obj, const char *name, size_t max_items,
                   json_t **ret, struct ol_error *err);
/* A base64url member of exactly n bytes. */
int ol_json_bytes(const json_t *obj, const char *name, void *dst, size_t n,
                  struct ol_error *err);
/* A lower-case hex member of exactly n bytes. */
int ol_json_hex(const json_t *obj, const char *name, void *dst, size_t n,
                struct ol_error *err);

#endif

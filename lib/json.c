/*
 * Strict JSON over jansson.  Owns: what is refused although jansson would take
 * it (depth, reals, large integers), and members by name with their bounds.
 * Knows no message.
 */
#include "offload/json.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "offload/encoding.h"

#define JSON_INT_MAX ((INT64_C(1) << 53) - 1)

/* Before parsing: jansson recurses, and allocates as it goes. */
static bool
depth_ok(const char *text, size_t len)
{
    unsigned depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > OL_JSON_DEPTH)
                return false;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

/* Recursion is bounded: depth_ok has seen the text. */
static bool
numbers_ok(const json_t *value)
{
    const char *name;
    json_t *item;
    size_t i;

    switch (json_typeof(value)) {
    case JSON_REAL:
        return false;
    case JSON_INTEGER:
        return json_integer_value(value) <= JSON_INT_MAX &&
               json_integer_value(value) >= -JSON_INT_MAX;
    case JSON_ARRAY:
        json_array_foreach(value, i, item)
        {
            if (!numbers_ok(item))
                return false;
        }
        return true;
    case JSON_OBJECT:
        /* The macro wants a non-const object, and does not change it. */
        json_object_foreach((json_t *)value, name, item)
        {
            if (!numbers_ok(item))
                return false;
        }
        return true;
    default:
        return true;
    }
}

json_t *
ol_json_parse(const char *text, size_t len, struct ol_error *err)
{
    json_error_t why;
    json_t *obj;

    if (!depth_ok(text, len)) {
        ol_error_set(err, EBADMSG, "JSON: nested deeper than %d",
                     OL_JSON_DEPTH);
        return NULL;
    }
    obj = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    if (obj == NULL) {
        ol_error_set(err, EBADMSG, "JSON, line %d, column %d: %s", why.line,
                     why.column, why.text);
        return NULL;
    }
    if (!json_is_object(obj)) {
        ol_error_set(err, EBADMSG, "JSON: not an object");
    } else if (!numbers_ok(obj)) {
        ol_error_set(err, EBADMSG,
                     "JSON: a number that is not an integer within 2^53 - 1");
    } else {
        return obj;
    }
    json_decref(obj);
    return NULL;
}

static json_t *
member_get(const json_t *obj, const char *name, struct ol_error *err)
{
    json_t *value = json_object_get(obj, name);

    if (value == NULL)
        ol_error_set(err, ENOENT, "%s: missing", name);
    return value;
}

int
ol_json_string(const json_t *obj, const char *name, size_t max_len,
               const char **ret, struct ol_error *err)
{
    json_t *value = member_get(obj, name, err);

    if (value == NULL)
        return -ENOENT;
    if (!json_is_string(value))
        return ol_error_set(err, EBADMSG, "%s: not a string", name);
    if (json_string_length(value) > max_len)
        return ol_error_set(err, EBADMSG, "%s: longer than %zu characters",
                            name, max_len);
    /* A string made by a program, not parsed, can hold a NUL. */
    if (strlen(json_string_value(value)) != json_string_length(value))
        return ol_error_set(err, EBADMSG, "%s: holds U+0000", name);
    *ret = json_string_value(value);
    return 0;
}

int
ol_json_uint(const json_t *obj, const char *name, uint64_t max, uint64_t *ret,
             struct ol_error *err)
{
    json_t *value = member_get(obj, name, err);

    if (value == NULL)
        return -ENOENT;
    if (!json_is_integer(value))
        return ol_error_set(err, EBADMSG, "%s: not an integer", name);
    if (json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) > max)
        return ol_error_set(err, EBADMSG, "%s: not within 0 and %llu", name,
                            (unsigned long long)max);
    *ret = (uint64_t)json_integer_value(value);
    return 0;
}

int
ol_json_array(const json_t *obj, const char *name, size_t max_items,
              json_t **ret, struct ol_error *err)
{
    json_t *value = member_get(obj, name, err);

    if (value == NULL)
        return -ENOENT;
    if (!json_is_array(value))
        return ol_error_set(err, EBADMSG, "%s: not an array", name);
    if (json_array_size(value) > max_items)
        return ol_error_set(err, EBADMSG, "%s: more than %zu items", name,
                            max_items);
    *ret = value;
    return 0;
}

int
ol_json_object(const json_t *obj, const char *name, size_t max_items,
               json_t **ret, struct ol_error *err)
{
    json_t *value = member_get(obj, name, err);

    if (value == NULL)
        return -ENOENT;
    if (!json_is_object(value))
        return ol_error_set(err, EBADMSG, "%s: not an object", name);
    if (json_object_size(value) > max_items)
        return ol_error_set(err, EBADMSG, "%s: more than %zu members", name,
                            max_items);
    *ret = value;
    return 0;
}

int
ol_json_bytes(const json_t *obj, const char *name, void *dst, size_t n,
              struct ol_error *err)
{
    const char *text;
    int rc = ol_json_string(obj, name, OL_BASE64URL_LEN(n), &text, err);

    if (rc < 0)
        return rc;
    if (ol_base64url_decode_exact(dst, n, text, strlen(text)) < 0)
        return ol_error_set(err, EBADMSG, "%s: not %zu bytes in base64url",
                            name, n);
    return 0;
}

int
ol_json_hex(const json_t *obj, const char *name, void *dst, size_t n,
            struct ol_error *err)
{
    const char *text;
    int rc = ol_json_string(obj, name, OL_HEX_LEN(n), &text, err);

    if (rc < 0)
        return rc;
    if (ol_hex_decode(dst, n, text, strlen(text)) < 0)
        return ol_error_set(err, EBADMSG, "%s: not %zu bytes in lower-case hex",
                            name, n);
    return 0;
}

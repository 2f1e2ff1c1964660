/*
 * Strict JSON: what jansson would take and we do not, and members with bounds.
 */
#include "../../lib/json.c"

#include "tap.h"

struct sample {
    const char *text, *why; /* why: part of the reason, NULL if it parses */
};

static const struct sample samples[] = {
    {"{}", NULL},
    {" {\"a\": [1, \"b\", null, true, {\"c\": -1}]}\n", NULL},
    {"{\"a\": 9007199254740991, \"b\": -9007199254740991}", NULL},
    {"{\"a\": 9007199254740992}", "2^53"},
    {"{\"a\": -9007199254740992}", "2^53"},
    {"{\"a\": 99999999999999999999}", "too big"},
    {"{\"a\": [[{\"b\": 9007199254740992}]]}", "2^53"},
    {"{\"a\": 1.0}", "integer"},
    {"{\"a\": 1e3}", "integer"},
    {"{\"a\": [-0.5]}", "integer"},
    {"{\"a\": 1e999}", "JSON"},
    {"{\"a\": 01}", "JSON"},
    {"{\"a\": NaN}", "JSON"},
    {"{\"a\": 1, \"a\": 1}", "duplicate"},
    {"{\"a\": {\"b\": 1, \"b\": 2}}", "duplicate"},
    {"{\"a\": 1, \"\\u0061\": 2}", "duplicate"},
    {"{\"a\": \"\\u0000\"}", "JSON"},
    {"{\"\\u0000\": 1}", "JSON"},
    {"{\"a\": \"\\ud800\"}", "JSON"},
    {"{\"a\": \"\xff\"}", "JSON"},
    {"{\"a\": \"\xc0\xaf\"}", "JSON"},
    {"{\"a\": \"\xed\xa0\x80\"}", "JSON"},
    {"{\"a\": \"\n\"}", "JSON"},
    {"\xef\xbb\xbf{}", "JSON"},
    {"", "JSON"},
    {"[]", "not an object"},
    {"[1]", "not an object"},
    {"\"a\"", "JSON"},
    {"1", "JSON"},
    {"{} {}", "JSON"},
    {"{}x", "JSON"},
    {"{\"a\": 1,}", "JSON"},
    {"{'a': 1}", "JSON"},
    {"{\"a\": 1 /* x */}", "JSON"},
    {"{\"a\"", "JSON"},
    {"{\"a\": \"\\", "JSON"},
};

static void
test_samples(void)
{
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        struct ol_error err = {""};
        json_t *obj =
            ol_json_parse(samples[i].text, strlen(samples[i].text), &err);

        if (samples[i].why == NULL)
            ok(obj != NULL, "taken: %s", samples[i].text);
        else if (ok(obj == NULL, "refused: sample %zu", i))
            has_str(err.text, samples[i].why, "and says why");
        json_decref(obj);
    }
    ok(ol_json_parse("{}\0", 3, NULL) == NULL, "refused: a NUL behind");
    ok(ol_json_parse("{\"a\0b\": 1}", 10, NULL) == NULL, "a NUL within");
}

/* An object that holds arrays: `depth` levels in all. */
static size_t
nest(char *dst, size_t depth)
{
    size_t n = (size_t)sprintf(dst, "{\"a\": ");

    memset(dst + n, '[', depth - 1);
    n += depth - 1;
    memset(dst + n, ']', depth - 1);
    n += depth - 1;
    dst[n++] = '}';
    return n;
}

static void
test_depth(void)
{
    static char text[2000000];
    struct ol_error err;
    json_t *obj;
    size_t n;

    obj = ol_json_parse(text, nest(text, 32), &err);
    ok(obj != NULL, "32 levels");
    json_decref(obj);
    ok(ol_json_parse(text, nest(text, 33), &err) == NULL, "not 33");
    has_str(err.text, "deeper than 32", "which it says");
    ok(ol_json_parse(text, nest(text, 900000), &err) == NULL, "not 900000");

    n = (size_t)sprintf(text, "{\"a\": \"%s\\\"[[{\", \"b\": \"\\\\\"}",
                        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");
    obj = ol_json_parse(text, n, &err);
    ok(obj != NULL, "brackets in strings do not count");
    json_decref(obj);
}

static void
test_strings_and_integers(void)
{
    struct ol_error err;
    const char *text = "old";
    uint64_t number = 77;
    json_t *obj =
        json_pack("{s:s, s:s%, s:i, s:i, s:n}", "name", "five5", "nul", "a\0b",
                  (size_t)3, "ten", 10, "minus", -1, "null");

    is_int(ol_json_string(obj, "none", 9, &text, &err), -ENOENT, "absent");
    has_str(err.text, "none: missing", "by name");
    is_int(ol_json_string(obj, "ten", 9, &text, &err), -EBADMSG, "no string");
    has_str(err.text, "ten: not a string", "by name");
    is_int(ol_json_string(obj, "null", 9, &text, &err), -EBADMSG, "null");
    is_int(ol_json_string(obj, "name", 4, &text, &err), -EBADMSG, "too long");
    is_int(ol_json_string(obj, "nul", 9, &text, &err), -EBADMSG, "U+0000");
    is_str(text, "old", "no failure writes");
    is_int(ol_json_string(obj, "name", 5, &text, NULL), 0, "it fits");
    is_str(text, "five5", "and is read");

    is_int(ol_json_uint(obj, "none", 9, &number, &err), -ENOENT, "absent");
    is_int(ol_json_uint(obj, "name", 9, &number, &err), -EBADMSG, "no number");
    is_int(ol_json_uint(obj, "minus", 9, &number, &err), -EBADMSG, "-1");
    is_int(ol_json_uint(obj, "ten", 9, &number, &err), -EBADMSG, "10 > 9");
    has_str(err.text, "ten: not within 0 and 9", "with the bounds");
    is_int(number, 77, "no failure writes");
    is_int(ol_json_uint(obj, "ten", 10, &number, &err), 0, "10 <= 10");
    is_int(number, 10, "and is read");
    json_decref(obj);
}

static void
test_containers(void)
{
    struct ol_error err;
    json_t *obj = json_pack("{s:[i,i], s:{s:i, s:i}}", "list", 1, 2, "map", "a",
                            1, "b", 2);
    json_t *item = NULL;

    is_int(ol_json_array(obj, "list", 1, &item, &err), -EBADMSG, "2 items");
    is_int(ol_json_array(obj, "map", 9, &item, &err), -EBADMSG, "no array");
    is_int(ol_json_array(obj, "x", 9, &item, &err), -ENOENT, "absent");
    is_int(ol_json_object(obj, "map", 1, &item, &err), -EBADMSG, "2 members");
    is_int(ol_json_object(obj, "list", 9, &item, &err), -EBADMSG, "no object");
    is_int(ol_json_object(obj, "x", 9, &item, &err), -ENOENT, "absent");
    ok(item == NULL, "no failure writes");
    is_int(ol_json_array(obj, "list", 2, &item, &err), 0, "an array");
    ok(item == json_object_get(obj, "list"), "borrowed");
    is_int(ol_json_object(obj, "map", 2, &item, &err), 0, "an object");
    ok(item == json_object_get(obj, "map"), "borrowed");
    ok(ol_json_array(json_null(), "x", 1, &item, &err) == -ENOENT,
       "what is no object has no members");
    json_decref(obj);
}

static void
test_binary(void)
{
    struct ol_error err;
    uint8_t bytes[3];
    json_t *obj = json_pack("{s:s, s:s, s:s, s:s}", "b64", "-_-_", "short",
                            "-_8", "hex", "00ff7f", "HEX", "00FF7F");

    is_int(ol_json_bytes(obj, "b64", bytes, 3, &err), 0, "three bytes");
    is_mem(bytes, "\xfb\xff\xbf", 3, "decoded");
    is_int(ol_json_bytes(obj, "short", bytes, 3, &err), -EBADMSG, "two");
    is_int(ol_json_bytes(obj, "b64", bytes, 2, &err), -EBADMSG, "too many");
    is_int(ol_json_bytes(obj, "x", bytes, 3, &err), -ENOENT, "absent");
    is_int(ol_json_hex(obj, "hex", bytes, 3, &err), 0, "hex");
    is_mem(bytes, "\x00\xff\x7f", 3, "decoded");
    is_int(ol_json_hex(obj, "hex", bytes, 2, &err), -EBADMSG, "too many");
    is_int(ol_json_hex(obj, "HEX", bytes, 3, &err), -EBADMSG, "upper case");
    has_str(err.text, "HEX: not 3 bytes in lower-case hex", "and says so");
    json_decref(obj);
}

int
main(void)
{
    test_samples();
    test_depth();
    test_strings_and_integers();
    test_containers();
    test_binary();
    return tap_done();
}

/*
 * Signs and opens messages, for tests that play a coordinator or a node:
 *   jws sign KEYFILE TYP < payload.json > token
 *   jws open X TYP < token > payload.json     (no check of time)
 *   jws id X                                  (the thumbprint)
 * Knows nothing of what a payload means.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offload/json.h"
#include "offload/jws.h"

static char input[OL_JWS_MAX + 2];

static size_t
read_input(void)
{
    size_t len = fread(input, 1, sizeof(input) - 1, stdin);

    while (len > 0 && input[len - 1] == '\n')
        len--;
    input[len] = '\0';
    return len;
}

static int
fail(const char *text)
{
    fprintf(stderr, "jws: %s\n", text);
    return EXIT_FAILURE;
}

static int
jws_sign(const char *path, const char *typ)
{
    struct ol_error err = { "" };
    struct ol_key *key;
    json_t *payload;
    char *token;
    size_t len;
    int rc;

    if (ol_key_load(path, &key, &err) < 0)
        return fail(err.text);
    /* Not ol_json_parse: a test may want to sign what is not allowed. */
    payload = json_loadb(input, read_input(), 0, NULL);
    rc = ol_jws_sign(key, typ, payload, &token, &len);
    json_decref(payload);
    ol_key_free(key);
    if (rc < 0)
        return fail("cannot sign");
    puts(token);
    free(token);
    return EXIT_SUCCESS;
}

static int
jws_open(const char *x, const char *typ)
{
    struct ol_error err = { "" };
    struct ol_keyset keys = { .count = 1 };
    struct ol_jws jws;
    char *text;

    if (ol_key_from_x(x, strlen(x), &keys.keys[0], &err) < 0)
        return fail(err.text);
    if (ol_jws_open(input, read_input(), typ, &keys, &jws, &err) < 0) {
        ol_keyset_clear(&keys);
        return fail(err.text);
    }
    text = json_dumps(jws.payload, JSON_COMPACT | JSON_SORT_KEYS);
    ol_jws_clear(&jws);
    ol_keyset_clear(&keys);
    if (text == NULL)
        return fail("out of memory");
    puts(text);
    free(text);
    return EXIT_SUCCESS;
}

static int
jws_id(const char *x)
{
    struct ol_error err = { "" };
    struct ol_key *key;

    if (ol_key_from_x(x, strlen(x), &key, &err) < 0)
        return fail(err.text);
    puts(ol_key_id(key));
    ol_key_free(key);
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "sign") == 0)
        return jws_sign(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "open") == 0)
        return jws_open(argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "id") == 0)
        return jws_id(argv[2]);
    return fail("sign KEYFILE TYP | open X TYP | id X");
}

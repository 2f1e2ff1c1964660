/*
 * The outside of a sync: a compact JWS, before anybody's key is known.  What
 * begins with a brace is put into base64url first, a part a line, so that the
 * fuzzer gets to what is inside.
 */
#include "fuzz.h"

#include "offload/encoding.h"
#include "offload/jws.h"

static void
check(const char *token, size_t len)
{
    struct ol_jws jws;
    struct ol_error err;
    char kid[OL_KEY_CHARS + 1];

    if (ol_jws_parse(token, len, OL_TYP_SYNC, &jws, &err) != 0)
        return;
    MUST(strlen(jws.kid) == OL_KEY_CHARS);
    MUST(json_is_object(jws.payload));
    MUST(jws.signing_len < len);
    MUST(ol_jws_kid(token, len, OL_TYP_SYNC, kid, &err) == 0);
    MUST(strcmp(kid, jws.kid) == 0);
    (void)ol_claims_check_time(jws.payload, 1790000000, &err);
    (void)ol_claims_check_string(jws.payload, "iss", jws.kid, &err);
    ol_jws_clear(&jws);
}

static void
check_parts(const uint8_t *data, size_t len)
{
    const uint8_t *end = data + len;
    char *token = malloc(2 * len + 8), *pos = token;

    while (data < end) {
        const uint8_t *line = memchr(data, '\n', (size_t)(end - data));
        size_t n = (size_t)((line != NULL ? line : end) - data);

        if (pos > token)
            *pos++ = '.';
        ol_base64url_encode(pos, data, n);
        pos += OL_BASE64URL_LEN(n);
        data += n + 1;
    }
    check(token, (size_t)(pos - token));
    free(token);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len > 0 && data[0] == '{')
        check_parts(data, len);
    else
        check((const char *)data, len);
    return 0;
}

/*
 * JWS: RFC 8037's example, round trips, and every liberty that other JOSE
 * libraries take with a token.
 */
#include "../../lib/jws.c"

#include "forge.h"
#include "tap.h"

static struct ol_key *key, *stranger;
static struct ol_keyset keys; /* holds key */

/* The reason, or "" if it is taken. */
static const char *
reason(const char *token, size_t len, int *ret_code)
{
    static struct ol_error err;
    struct ol_jws jws;

    err.text[0] = '\0';
    *ret_code = -ol_jws_open(token, len, OL_TYP_SYNC, &keys, &jws, &err);
    if (*ret_code == 0)
        ol_jws_clear(&jws);
    return err.text;
}

static void
refuses(const char *token, size_t len, int code, const char *why)
{
    int got;
    const char *text = reason(token, len, &got);

    is_int(got, code, "refused: %s", why);
    has_str(text, why, "and says so");
}

static void
test_round_trip(void)
{
    json_t *payload = json_pack("{s:s, s:i}", "iss", "x", "seq", 7);
    struct ol_error err;
    char kid[OL_KEY_CHARS + 1];
    struct ol_jws jws;
    char *token;
    size_t len;

    is_int(ol_jws_sign(key, OL_TYP_SYNC, payload, &token, &len), 0, "signed");
    is_int(strlen(token), len, "its length");
    is_int(ol_jws_open(token, len, OL_TYP_SYNC, &keys, &jws, &err), 0, "open");
    ok(json_equal(jws.payload, payload), "the same payload");
    ol_jws_clear(&jws);
    is_int(ol_jws_kid(token, len, OL_TYP_SYNC, kid, &err), 0, "kid alone");
    is_str(kid, ol_key_id(key), "is the signer's");
    is_int(ol_jws_kid(token, len, OL_TYP_ASSIGN, kid, &err), -EBADMSG,
           "not of another typ");
    is_int(ol_jws_kid(token, 9, OL_TYP_SYNC, kid, &err), -EBADMSG,
           "nor of a cut token");
    is_int(ol_jws_parse(token, len, OL_TYP_SYNC, &jws, &err), 0, "parse");
    ok(json_equal(jws.payload, payload), "the same without the key");
    is_str(jws.kid, ol_key_id(key), "kid");
    is_int(ol_jws_verify(&jws, key, &err), 0, "verifies again");
    is_int(ol_jws_verify(&jws, stranger, &err), -EKEYREJECTED, "not so");
    has_str(err.text, ol_key_id(stranger), "with another key, which it names");
    jws.signing_len--;
    is_int(ol_jws_verify(&jws, key, &err), -EKEYREJECTED, "a cut text");
    ol_jws_clear(&jws);
    ol_jws_clear(&jws);
    ok(jws.payload == NULL, "cleared twice");
    is_int(ol_jws_open(token, len, OL_TYP_ASSIGN, &keys, &jws, &err), -EBADMSG,
           "another typ");
    has_str(err.text, "typ is \"offload-sync+jwt\"", "which it names");
    free(token);

    must(ol_jws_sign(stranger, OL_TYP_SYNC, payload, &token, &len) == 0);
    refuses(token, len, ENOKEY, "none of the 1 keys");
    free(token);
    is_int(ol_jws_sign(keys.keys[0], OL_TYP_SYNC, payload, &token, &len),
           -EINVAL, "a public key cannot sign");
    json_decref(payload);
}

/* RFC 8037 A.4: its signing input and signature with the key of A.1. */
static void
test_rfc8037(void)
{
    static const char input[] =
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    static const char sig[] =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt"
        "9g7sVvpAr_MuM0KAg";
    struct ol_jws jws = {.signing_input = input,
                         .signing_len = sizeof(input) - 1};
    struct ol_key *rfc;

    must(ol_key_from_x("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", 43, &rfc,
                       NULL) == 0);
    must(ol_base64url_decode_exact(jws.sig, 64, sig, strlen(sig)) == 0);
    strcpy(jws.kid, ol_key_id(rfc));
    is_int(ol_jws_verify(&jws, rfc, NULL), 0, "RFC 8037 A.4 verifies");
    jws.sig[0] ^= 1;
    is_int(ol_jws_verify(&jws, rfc, NULL), -EKEYREJECTED, "one bit less not");
    ol_key_free(rfc);
}

static void
test_headers(void)
{
    static const struct {
        const char *format, *why; /* %s: the kid */
    } cases[] = {
        {"{\"alg\":\"none\",\"typ\":\"offload-sync+jwt\",\"kid\":\"%s\"}",
         "alg is \"none\""},
        {"{\"alg\":\"eddsa\",\"typ\":\"offload-sync+jwt\",\"kid\":\"%s\"}",
         "alg is \"eddsa\""},
        {"{\"alg\":\"HS256\",\"typ\":\"offload-sync+jwt\",\"kid\":\"%s\"}",
         "alg is \"HS256\""},
        {"{\"alg\":[\"EdDSA\"],\"typ\":\"offload-sync+jwt\",\"kid\":\"%s\"}",
         "alg: not a string"},
        {"{\"typ\":\"offload-sync+jwt\",\"kid\":\"%s\"}", "alg: missing"},
        {"{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
         "typ is \"JWT\""},
        {"{\"alg\":\"EdDSA\",\"typ\":\"Offload-Sync+JWT\",\"kid\":\"%s\"}",
         "typ is"},
        {"{\"alg\":\"EdDSA\",\"kid\":\"%s\"}", "typ: missing"},
        {"{\"alg\":\"EdDSA\",\"typ\":\"offload-sync+jwt\"}", "kid: missing"},
        {"{\"alg\":\"EdDSA\",\"typ\":\"offload-sync+jwt\",\"kid\":\"x\"}",
         "no thumbprint"},
        {"{\"alg\":\"EdDSA\",\"typ\":\"offload-sync+jwt\",\"kid\":\"%sA\"}",
         "kid: longer than 43"},
        {"{\"alg\":\"EdDSA\",\"typ\":\"offload-sync+jwt\",\"kid\":\"%s\","
         "\"cty\":\"JWT\"}",
         "4 members"},
        {"{\"alg\":\"EdDSA\",\"typ\":\"offload-sync+jwt\",\"kid\":\"%s\","
         "\"crit\":[\"b64\"],\"b64\":false}",
         "5 members"},
        {"{\"alg\":\"EdDSA\",\"typ\":\"offload-sync+jwt\",\"kid\":\"%s\","
         "\"alg\":\"EdDSA\"}",
         "duplicate"},
        {"[\"%s\"]", "not an object"},
        {"%s", "JWS header: JSON"},
        {"", "JWS header: JSON"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char header[512], *token;
        const char *at = strstr(cases[i].format, "%s");

        if (at != NULL)
            snprintf(header, sizeof(header), "%.*s%s%s",
                     (int)(at - cases[i].format), cases[i].format,
                     ol_key_id(key), at + 2);
        else
            snprintf(header, sizeof(header), "%s", cases[i].format);
        token = forge_token(key, header, "{}");
        refuses(token, strlen(token), EBADMSG, cases[i].why);
        free(token);
    }
}

/* Every bit of a token: none may be changed, nor may anything be added. */
static void
test_bits(void)
{
    char header[200], *token, *longer;
    size_t len, taken = 0;
    int code;

    token = forge_token(key, forge_header(key, OL_TYP_SYNC, header),
                        "{\"iss\":\"a\",\"iat\":1,\"exp\":2}");
    len = strlen(token);
    reason(token, len, &code);
    is_int(code, 0, "the forged token is a good one");
    for (size_t bit = 0; bit < 8 * len; bit++) {
        token[bit / 8] ^= (char)(1 << bit % 8);
        reason(token, len, &code);
        taken += code == 0;
        token[bit / 8] ^= (char)(1 << bit % 8);
    }
    is_int(taken, 0, "no flipped bit of %zu is taken", 8 * len);
    for (size_t n = 0; n < len; n++) {
        reason(token, n, &code);
        taken += code == 0;
    }
    is_int(taken, 0, "nor any beginning");

    longer = malloc(len + 2);
    must(longer != NULL);
    for (size_t at = 0; at <= len; at++) {
        for (const char *c = "A=.\n \t+"; *c != '\0'; c++) {
            memcpy(longer, token, at);
            longer[at] = *c;
            memcpy(longer + at + 1, token + at, len - at);
            reason(longer, len + 1, &code);
            taken += code == 0;
        }
    }
    is_int(taken, 0, "nor one with a character more anywhere");
    free(longer);
    free(token);
}

static void
test_form(void)
{
    static char huge[OL_JWS_MAX + 1];
    char header[200], padded[400], *token, *dot;
    struct ol_jws jws;
    size_t len;

    refuses("", 0, EBADMSG, "three parts");
    refuses("..", 2, EBADMSG, "JWS signature");
    refuses("a.b", 3, EBADMSG, "three parts");
    memset(huge, '.', sizeof(huge));
    refuses(huge, sizeof(huge), EBADMSG, "more than 262144");
    refuses(huge, OL_JWS_MAX, EBADMSG, "JWS signature");

    forge_header(key, OL_TYP_SYNC, header);
    snprintf(padded, sizeof(padded), "%s%*s", header, 170, "");
    token = forge_token(key, padded, "{}");
    refuses(token, strlen(token), EBADMSG, "at most 256 bytes");
    free(token);
    token = forge_token(key, header, "{\"a\":1,\"a\":1}");
    refuses(token, strlen(token), EBADMSG, "JWS payload: JSON");
    free(token);
    token = forge_token(key, header, "[]");
    refuses(token, strlen(token), EBADMSG, "not an object");
    free(token);
    token = forge_token(key, header, "");
    refuses(token, strlen(token), EBADMSG, "JWS payload");
    free(token);

    token = forge_token(stranger, header, "[]");
    is_int(ol_jws_parse(token, strlen(token), OL_TYP_SYNC, &jws, NULL),
           -EBADMSG, "parse alone looks into the payload");
    refuses(token, strlen(token), EKEYREJECTED, "signature is not that of");
    dot = strrchr(token, '.');
    len = (size_t)(dot - token) + 1;
    refuses(token, len, EBADMSG, "JWS signature: not 64 bytes");
    free(token);
}

static void
test_size(void)
{
    json_t *payload = json_object();
    struct ol_jws jws;
    char *text, *token;
    size_t len;
    int rc;

    text = malloc(300000);
    must(text != NULL);
    memset(text, 'x', 300000);
    for (size_t n = 196000; n < 197000; n++) {
        json_object_set_new(payload, "x", json_stringn(text, n));
        rc = ol_jws_sign(key, OL_TYP_SYNC, payload, &token, &len);
        if (rc < 0)
            break;
        if (len > OL_JWS_MAX - 4) {
            ok(len <= OL_JWS_MAX, "%zu characters", len);
            is_int(ol_jws_open(token, len, OL_TYP_SYNC, &keys, &jws, NULL), 0,
                   "what can be signed can be read");
            ol_jws_clear(&jws);
        }
        free(token);
        n += len < OL_JWS_MAX - 100 ? 30 : 0;
    }
    is_int(rc, -EMSGSIZE, "beyond 256 KiB nothing is signed");
    free(text);
    json_decref(payload);
}

int
main(void)
{
    must(ol_key_generate(&key) == 0 && ol_key_generate(&stranger) == 0);
    keys.count = 1;
    must(ol_key_from_x(ol_key_x(key), OL_KEY_CHARS, &keys.keys[0], NULL) == 0);
    test_round_trip();
    test_rfc8037();
    test_headers();
    test_bits();
    test_form();
    test_size();
    ol_keyset_clear(&keys);
    ol_key_free(key);
    ol_key_free(stranger);
    return tap_done();
}

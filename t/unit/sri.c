/*
 * Signature-based integrity: what is signed, to the letter; which
 * Accept-Signature asks for it.  With arguments it signs for t/interop/sri.t.
 */
#include "../../lib/sri.c"

#include "tap.h"

#define PATH "/js/app.js"
#define CREATED 1790000000
#define EXPIRES 1790086400

static struct ol_key *key;
static uint8_t sha256[OL_HASH_BYTES];
static char id[OL_KEY_CHARS + 2];

static void
test_types(void)
{
    static const char *const yes[] = {
        "text/javascript",         "text/css",
        "application/javascript",  "application/x-javascript",
        "Text/JavaScript",         "text/javascript; charset=utf-8",
        "text/css ;charset=utf-8",
    };
    static const char *const no[] = {
        "",         "text/javascripts", "text/javascrip",   "text/html",
        "text/cs",  ";text/css",        "text/plain;a=css", "application/json",
        " text/css"};

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        ok(ol_sri_type(yes[i], strlen(yes[i])), "a type: %s", yes[i]);
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        ok(!ol_sri_type(no[i], strlen(no[i])), "no such type: \"%s\"", no[i]);
}

static void
test_signature(void)
{
    static const char digest[] =
        "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
    char text[OL_SRI_LINE_MAX], want[1024];
    struct ol_sri sri;

    must(ol_sri_sign(key, PATH, strlen(PATH), sha256, CREATED, EXPIRES, &sri) ==
         0);
    ol_sri_digest(sha256, text);
    is_str(text, digest, "Unencoded-Digest");
    ol_sri_input(&sri, text);
    snprintf(want, sizeof(want),
             "sig1=(\"unencoded-digest\";sf \"@path\";req);keyid=\"%s\";"
             "created=1790000000;expires=1790086400;tag=\"ed25519-integrity\"",
             id);
    is_str(text, want, "Signature-Input");

    snprintf(want, sizeof(want),
             "\"unencoded-digest\";sf: %s\n\"@path\";req: " PATH
             "\n\"@signature-params\": %s",
             digest, text + strlen("sig1="));
    is_int(ol_key_verify(key, want, strlen(want), sri.sig), 0,
           "the signature is over the base, without a newline at its end");
    ol_sri_signature(&sri, text);
    ok(strlen(text) == 95 && strncmp(text, "sig1=:", 6) == 0 &&
           strcmp(text + 92, "==:") == 0,
       "Signature: %s", text);
}

static void
test_refused(void)
{
    static const char *const paths[] = {"",          "app.js",   "/a b.js",
                                        "/a?b",      "/a#b",     "/a\n.js",
                                        "/a\x7f.js", "/\xc3\xa4"};
    char *path = malloc(OL_SRI_PATH_MAX + 1);
    struct ol_key *public;
    struct ol_sri sri;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        is_int(ol_sri_sign(key, paths[i], strlen(paths[i]), sha256, 1, 2, &sri),
               -EINVAL, "no such path, %zu", i);
    must(path != NULL);
    memset(path, '/', OL_SRI_PATH_MAX + 1);
    is_int(ol_sri_sign(key, path, OL_SRI_PATH_MAX, sha256, 1, 2, &sri), 0,
           "the longest path");
    is_int(ol_sri_sign(key, path, OL_SRI_PATH_MAX + 1, sha256, 1, 2, &sri),
           -ENAMETOOLONG, "one longer");
    free(path);
    is_int(ol_sri_sign(key, "/", 1, sha256, 2, 2, &sri), -EINVAL,
           "it expires as it is made");
    is_int(ol_sri_sign(key, "/", 1, sha256, -1, 2, &sri), -EINVAL,
           "it is made before time");
    must(ol_key_from_x(ol_key_x(key), OL_KEY_CHARS, &public, NULL) == 0);
    is_int(ol_sri_sign(public, "/", 1, sha256, 1, 2, &sri), -EINVAL,
           "a public key cannot sign");
    ol_key_free(public);
}

/* %s: our key. */
static bool
asks(const char *form)
{
    char *copy = malloc(strlen(form) * 2 + 512);
    size_t len = 0;
    bool found;

    must(copy != NULL);
    while (*form != '\0') {
        if (strncmp(form, "%s", 2) == 0) {
            memcpy(copy + len, id, strlen(id));
            len += strlen(id);
            form += 2;
        } else {
            copy[len++] = *form++;
        }
    }
    copy = realloc(copy, len + 1); /* so that a step too far is seen */
    must(copy != NULL);
    copy[len] = '"';
    found = ol_sri_asks(copy, len, ol_key_x(key));
    free(copy);
    return found;
}

#define OURS "(\"unencoded-digest\";sf);keyid=\"%s\";tag=\"ed25519-integrity\""
#define THEIRS                                                                 \
    "(\"unencoded-digest\";sf);keyid="                                         \
    "\"JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\";"                        \
    "tag=\"ed25519-integrity\""

static const char *const asking[] = {
    "sig0=" OURS,
    " sig0=" OURS "\t",
    "sig0=" THEIRS ", sig1=" OURS,
    "sig0=" OURS ",sig1=" THEIRS,
    "a*.-_9=( \"a\"  \"b\";x=1 );tag=\"ed25519-integrity\"; keyid=\"%s\"",
    "s=();keyid=\"x\";keyid=\"%s\";tag=\"ed25519-integrity\";created;expires=?"
    "1",
    "s=(tok 1 -1.5 :YQ==: ?0 \"q\\\"\\\\\");keyid=\"%s\";"
    "tag=\"ed25519-integrity\"",
};

static const char *const silent[] = {
    "",
    " ",
    "sig0",
    "sig0=",
    "sig0=?1",
    "sig0=(",
    "sig0=()",
    "sig0=\"%s\"",
    "sig0=" THEIRS,
    "sig0=(\"unencoded-digest\";sf);keyid=\"%s\"",
    "sig0=(\"unencoded-digest\";sf);keyid=\"%s\";tag=\"other\"",
    "sig0=(\"unencoded-digest\";sf);keyid=%s;tag=\"ed25519-integrity\"",
    "sig0=();keyid=:%s:;tag=\"ed25519-integrity\"",
    "sig0=();x=\"%s\";tag=\"ed25519-integrity\"",
    "sig0=();keyid=\"%s\";tag=\"ed25519-integrity",
    "sig0=();keyid=\"%s;tag=\"ed25519-integrity\"",
    "sig0=();keyid=\"%s\" tag=\"ed25519-integrity\"",
    "sig0=(\"a\"\"b\");keyid=\"%s\";tag=\"ed25519-integrity\"",
    "sig0=();keyid=\"%s\";tag=\"ed25519-integrity\";nonce=\"n\"",
    "sig0=();keyid=\"%s\";tag=\"ed25519-integrity\";alg=\"rsa\"",
    "SIG0=" OURS,
    "0=" OURS,
    "sig0=" OURS ",",
    "sig0=" OURS " x",
    "sig0=" OURS ";",
    "sig0=" OURS ";=1",
    "sig0=" OURS ", sig1",
    ", sig0=" OURS,
    "sig0=(\"a\x01\");keyid=\"%s\";tag=\"ed25519-integrity\"",
    "sig0=(\"a\\b\");keyid=\"%s\";tag=\"ed25519-integrity\"",
    "sig0=(?2);keyid=\"%s\";tag=\"ed25519-integrity\"",
    "sig0=(:a*:);keyid=\"%s\";tag=\"ed25519-integrity\"",
};

static void
test_asks(void)
{
    char text[OL_SRI_ASK_MAX + 2], one[512];
    size_t len;
    int found = 0;

    for (size_t i = 0; i < sizeof(asking) / sizeof(asking[0]); i++)
        ok(asks(asking[i]), "asks: %s", asking[i]);
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
        ok(!asks(silent[i]), "asks for nothing, %zu", i);

    len = (size_t)snprintf(one, sizeof(one), "sig0=" OURS, id);
    memset(text, ' ', sizeof(text));
    memcpy(text + OL_SRI_ASK_MAX - len, one, len);
    ok(ol_sri_asks(text, OL_SRI_ASK_MAX, ol_key_x(key)), "the longest");
    ok(!ol_sri_asks(text, OL_SRI_ASK_MAX + 1, ol_key_x(key)), "one longer");
    for (size_t i = 0; i < len; i++)
        found += ol_sri_asks(one, i, ol_key_x(key));
    is_int(found, 0, "no beginning of it asks");
}

/* sri PEM PATH TEXT CREATED EXPIRES: the three values, a line each. */
static int
sign(char **argv)
{
    char text[OL_SRI_LINE_MAX];
    struct ol_sri sri;

    must(ol_key_load(argv[1], &key, NULL) == 0);
    ol_sha256(argv[3], strlen(argv[3]), sha256);
    must(ol_sri_sign(key, argv[2], strlen(argv[2]), sha256, atoll(argv[4]),
                     atoll(argv[5]), &sri) == 0);
    ol_sri_digest(sha256, text);
    puts(text);
    ol_sri_input(&sri, text);
    puts(text);
    ol_sri_signature(&sri, text);
    puts(text);
    ol_key_free(key);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc == 6)
        return sign(argv);
    must(ol_key_generate(&key) == 0);
    keyid(ol_key_x(key), id);
    ol_sha256("", 0, sha256);
    test_types();
    test_signature();
    test_refused();
    test_asks();
    ol_key_free(key);
    return tap_done();
}

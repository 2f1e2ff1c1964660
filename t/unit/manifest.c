/*
 * Manifests: written and read again, each member out of bounds, each bit of a
 * signed one.  With arguments it signs and opens for t/interop/jose.t, see the
 * end.
 */
#include "../../lib/manifest.c"

#include "forge.h"
#include "tap.h"

#define NOW 1790000000
#define SIZE 600000 /* three pieces */

static struct ol_key *key, *stranger;
static struct ol_keyset keys;
static uint8_t table[3 * OL_HASH_BYTES];
static char path[128 + OL_TICKET_MAX], peer_id[OL_KEY_CHARS + 1];

/* A manifest that has everything; valid from iat for a minute. */
static struct ol_manifest
sample(const struct ol_key *signer, int64_t iat)
{
    struct ol_manifest m = {
        .iss = "https://example.org",
        .sub = "/iso/b\xc3\xbc"
               "cher 1.iso",
        .iat = iat,
        .exp = iat + 60,
        .size = SIZE,
        .piece_size = ol_piece_size(SIZE),
        .type = "application/x-iso9660-image",
        .etag = "\"68a1b2c3-927c0\"",
        .table = table,
        .path = path,
        .sri_name = "b%C3%BCcher%201.iso",
        .sri = {.created = NOW, .expires = NOW + 604800, .sig = {1, 2, 3}},
        .peer_count = 2,
        .tracker_count = 1,
        .trackers = {"https://tracker.example"},
    };
    char ticket[OL_TICKET_MAX], root[OL_ROOT_HEX + 1];

    for (size_t i = 0; i < sizeof(table); i++)
        table[i] = (uint8_t)(i * 7);
    ol_sha256(table, sizeof(table), m.root);
    ol_sha256("", 0, m.sha256);
    must(ol_ticket_sign(signer, m.root, ol_ticket_expiry(iat), ticket) == 0);
    ol_hex_encode(root, m.root, OL_HASH_BYTES);
    snprintf(path, sizeof(path), "/c/%s?%s", root, ticket);
    ol_base64url_encode(peer_id, m.root, OL_HASH_BYTES);
    memcpy(m.sri.key, ol_key_x(signer), sizeof(m.sri.key));
    m.peers[0] = (struct ol_peer){peer_id, "https://n1.example", "DE"};
    m.peers[1] = (struct ol_peer){peer_id, "http://127.0.0.11:8100", ""};
    return m;
}

static json_t *
sample_json(void)
{
    struct ol_manifest m = sample(key, NOW);
    json_t *json = ol_manifest_to_json(&m);

    must(json != NULL);
    return json;
}

static void
test_round_trip(void)
{
    struct ol_manifest m = sample(key, NOW), got;
    json_t *json = sample_json(), *again;
    struct ol_error err = {""};
    char *token;
    size_t len;

    must(ol_jws_sign(key, OL_TYP_MANIFEST, json, &token, &len) == 0);
    if (!ok(ol_manifest_open(token, len, &keys, NOW, &got, &err) == 0, "open"))
        diag("%s", err.text);
    free(token); /* what was read lives without it */
    is_str(got.iss, m.iss, "iss");
    is_str(got.sub, m.sub, "sub");
    ok(got.iat == m.iat && got.exp == m.exp, "iat, exp");
    ok(got.size == SIZE && got.piece_size == 262144, "size, piece_size");
    is_mem(got.root, m.root, OL_HASH_BYTES, "root");
    is_mem(got.sha256, m.sha256, OL_HASH_BYTES, "sha256");
    is_str(got.type, m.type, "type");
    is_str(got.etag, m.etag, "etag");
    is_mem(got.table, table, sizeof(table), "table");
    is_str(got.path, path, "path");
    is_str(got.sri_name, m.sri_name, "sri: name");
    is_str(got.sri.key, ol_key_x(key), "sri: key");
    is_mem(got.sri.sig, m.sri.sig, OL_SIG_BYTES, "sri: signature");
    ok(got.sri.created == NOW && got.sri.expires == NOW + 604800, "sri: times");
    is_int(got.peer_count, 2, "peers");
    is_str(got.peers[0].id, peer_id, "id");
    is_str(got.peers[0].url, "https://n1.example", "url");
    is_str(got.peers[0].zone, "DE", "zone");
    is_str(got.peers[1].zone, "", "no zone");
    is_int(got.tracker_count, 1, "trackers");
    is_str(got.trackers[0], "https://tracker.example", "tracker");
    again = ol_manifest_to_json(&got);
    ok(json_equal(again, json), "written again it is the same");
    json_decref(again);
    json_decref(json);
    ol_manifest_clear(&got);
    ol_manifest_clear(&got);
}

/* No peers, no trackers, no type, no sri, a table too large to be within. */
static void
test_least_and_most(void)
{
    static uint8_t large[33 * OL_HASH_BYTES];
    struct ol_manifest m = sample(key, NOW), got;
    json_t *json;

    m.peer_count = m.tracker_count = 0;
    m.type = "";
    m.table = NULL;
    m.sri_name = NULL;
    json = ol_manifest_to_json(&m);
    is_int(ol_manifest_from_json(json, &got, NULL), 0, "the least");
    ok(got.table == NULL && got.sri_name == NULL && got.peer_count == 0 &&
           got.tracker_count == 0 && *got.type == '\0',
       "is read so");
    ol_manifest_clear(&got);
    json_decref(json);

    m = sample(key, NOW);
    m.size = 33 * 262144;
    m.table = large;
    json = ol_manifest_to_json(&m);
    ok(json_object_get(json_object_get(json, "content"), "table") == NULL,
       "33 pieces: no table within");
    json_decref(json);
    m.size = 32 * 262144;
    ol_sha256(large, 32 * OL_HASH_BYTES, m.root);
    json = ol_manifest_to_json(&m);
    ok(json_object_get(json_object_get(json, "content"), "table") != NULL,
       "32 pieces: within");
    json_decref(json);

    m = sample(key, NOW);
    m.peer_count = OL_MANIFEST_PEERS;
    m.tracker_count = OL_MANIFEST_TRACKERS;
    for (size_t i = 1; i < OL_MANIFEST_PEERS; i++)
        m.peers[i] = m.peers[0];
    for (size_t i = 1; i < OL_MANIFEST_TRACKERS; i++)
        m.trackers[i] = m.trackers[0];
    json = ol_manifest_to_json(&m);
    is_int(ol_manifest_from_json(json, &got, NULL), 0, "the most");
    is_int(got.peer_count, OL_MANIFEST_PEERS, "all 32 peers");
    ol_manifest_clear(&got);
    json_array_append(json_object_get(json, "peers"),
                      json_array_get(json_object_get(json, "peers"), 0));
    is_int(ol_manifest_from_json(json, &got, NULL), -EBADMSG, "not 33");
    json_decref(json);
}

/* Where: "a", "content.a", "sri.a", "peers.a" (the first peer's).  value: JSON.
 */
struct change {
    const char *where, *value, *why; /* value NULL: taken away */
};

static const struct change changes[] = {
    {"iss", NULL, "iss: missing"},
    {"iss", "7", "iss: not a string"},
    {"iss", "\"https://example.org/\"", "should read \"https://example.org\""},
    {"iss", "\"https://Example.org\"", "should read"},
    {"iss", "\"https://example.org:443\"", "should read"},
    {"iss", "\"https://user@example.org\"", "iss: URL: has a user name"},
    {"iss", "\"https://example.org/a\"", "iss: URL: has more"},
    {"iss", "\"ftp://example.org\"", "iss: URL"},
    {"sub", NULL, "sub: missing"},
    {"sub", "\"\"", "sub: not a path"},
    {"sub", "\"a\"", "sub: not a path"},
    {"sub", "\"/a//b\"", "sub: not a path"},
    {"sub", "\"/a/../b\"", "sub: not a path"},
    {"sub", "\"/./b\"", "sub: not a path"},
    {"sub", "\"/b/..\"", "sub: not a path"},
    {"sub", "\"/a\\n\"", "sub: not a path"},
    {"sub", "\"/a\\u007f\"", "sub: not a path"},
    {"sub", "\"/a\\u0085\"", "sub: not a path"},
    {"iat", NULL, "iat: missing"},
    {"exp", NULL, "exp: missing"},
    {"exp", "1790000000", "exp: not after iat"},
    {"iat", "\"1790000000\"", "iat: not an integer"},
    {"content", NULL, "content: missing"},
    {"content", "[]", "content: not an object"},
    {"content.root", NULL, "root: missing"},
    {"content.root", "\"00\"", "root: not 32 bytes"},
    {"content.root",
     "\"0000000000000000000000000000000000000000000000000000000000000000\"",
     "does not hash to the root"},
    {"content.sha256", NULL, "sha256: missing"},
    {"content.sha256",
     "\"E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855\"",
     "sha256: not 32 bytes"},
    {"content.size", NULL, "size: missing"},
    {"content.size", "0", "size: nothing"},
    {"content.size", "-1", "size: not within"},
    {"content.size", "4398046511105", "size: not within"},
    {"content.size", "9007199254740991", "size: not within"},
    {"content.size", "800000", "piece table"},
    {"content.size", "200000000", "piece_size: 262144, not 524288"},
    {"content.piece_size", NULL, "piece_size: missing"},
    {"content.piece_size", "0", "piece_size: 0"},
    {"content.piece_size", "262143", "piece_size: 262143"},
    {"content.piece_size", "524288", "piece_size: 524288"},
    {"content.piece_size", "4295229440", "piece_size: not within"},
    {"content.type", NULL, "type: missing"},
    {"content.type", "\"text/html\\r\\nX: y\"", "type: not printable"},
    {"content.type", "\"t\u00fc\"", "type: not printable"},
    {"content.etag", NULL, "etag: missing"},
    {"content.etag", "\"abc\"", "etag: not a strong"},
    {"content.etag", "\"W/\\\"abc\\\"\"", "etag: not a strong"},
    {"content.etag", "\"\\\"\"", "etag: not a strong"},
    {"content.etag", "\"\\\"a\\\"b\\\"\"", "etag: not a strong"},
    {"content.etag", "\"\\\"a\\r\\nX: y\\\"\"", "etag: not a strong"},
    {"content.etag", "\"\\\"a b\\\"\"", "etag: not a strong"},
    {"content.table", "\"\"", "piece table: 0 bytes"},
    {"content.table", "\"AAAA\"", "piece table: 3 bytes"},
    {"content.table", "\"=\"", "table: not strict"},
    {"content.table", "[]", "table: not a string"},
    {"content.sri", "7", "sri: not an object"},
    {"content.sri", "{}", "sri: name: missing"},
    {"sri.name", "\"\"", "sri: name: not a percent-encoded"},
    {"sri.name", "\"a/b\"", "sri: name: not a percent-encoded"},
    {"sri.name", "\"a\\r\\nX: y\"", "sri: name: not a percent-encoded"},
    {"sri.name", "\"a?b\"", "sri: name: not a percent-encoded"},
    {"sri.name", "\"a%2\"", "sri: name: not a percent-encoded"},
    {"sri.name", "\"a%2g\"", "sri: name: not a percent-encoded"},
    {"sri.name", "\"a%c3\"", "sri: name: not a percent-encoded"},
    {"sri.key", NULL, "sri: key: missing"},
    {"sri.key", "\"AAAA\"", "sri: key: not 32 bytes"},
    {"sri.created", NULL, "sri: created: missing"},
    {"sri.created", "-1", "sri: created: not within"},
    {"sri.expires", NULL, "sri: expires: missing"},
    {"sri.expires", "1790000000", "sri: expires: not after created"},
    {"sri.signature", NULL, "sri: signature: missing"},
    {"sri.signature", "\"AAAA\"", "sri: signature: not 64 bytes"},
    {"path", NULL, "path: missing"},
    {"path", "\"/c/\"", "path: not /c/<root>"},
    {"path", "\"//evil.example/c/\"", "path: not /c/<root>"},
    {"path", "\"@evil.example/c/\"", "path: not /c/<root>"},
    {"peers", NULL, "peers: missing"},
    {"peers", "{}", "peers: not an array"},
    {"peers", "[7]", "peers[0]: id: missing"},
    {"peers", "[{}]", "peers[0]: id: missing"},
    {"peers.id", "\"x\"", "peers[0]: id: not 32 bytes"},
    {"peers.id", NULL, "peers[0]: id: missing"},
    {"peers.url", NULL, "peers[0]: url: missing"},
    {"peers.url", "\"https://n1.example/\"", "should read"},
    {"peers.url", "\"https://n1.example/x\"", "has more than"},
    {"peers.url", "\"https://n1.example?x\"", "has more than"},
    {"peers.url", "\"https://u:p@n1.example\"", "user name"},
    {"peers.url", "\"file:///etc/passwd\"", "neither http"},
    {"peers.url", "\"http://127.1:8100\"", "malformed host"},
    {"peers.url", "\"http://n1.example:22\"", "port 22 is not"},
    {"peers.zone", "7", "zone: not a string"},
    {"peers.zone", "\"\\u001b[2J\"", "zone: not printable"},
    {"trackers", NULL, "trackers: missing"},
    {"trackers", "[7]", "trackers[0]: not a string"},
    {"trackers", "[\"https://a/x\"]", "trackers: URL: has more"},
    {"trackers", "[\"https://a/\"]", "should read"},
    {"trackers",
     "[\"a\", \"a\", \"a\", \"a\", \"a\", \"a\", \"a\", \"a\", "
     "\"a\"]",
     "trackers: more than 8"},
};

static void
change(json_t *json, const struct change *c)
{
    const char *name = strchr(c->where, '.');
    json_t *obj = json;

    if (strncmp(c->where, "content.", 8) == 0)
        obj = json_object_get(json, "content");
    else if (strncmp(c->where, "sri.", 4) == 0)
        obj = json_object_get(json_object_get(json, "content"), "sri");
    else if (strncmp(c->where, "peers.", 6) == 0)
        obj = json_array_get(json_object_get(json, "peers"), 0);
    name = name != NULL ? name + 1 : c->where;
    if (c->value == NULL)
        must(json_object_del(obj, name) == 0);
    else
        must(json_object_set_new(
                 obj, name, json_loads(c->value, JSON_DECODE_ANY, NULL)) == 0);
}

static void
test_members(void)
{
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        json_t *json = sample_json();
        struct ol_manifest got = {.size = 77};
        struct ol_error err = {""};

        change(json, &changes[i]);
        ok(ol_manifest_from_json(json, &got, &err) == -EBADMSG &&
               got.size == 77,
           "refused: %s %s", changes[i].where,
           changes[i].value != NULL ? changes[i].value : "missing");
        has_str(err.text, changes[i].why, "and says so");
        is_int(json->refcount, 1, "no reference is kept");
        json_decref(json);
    }
}

static void
test_path(void)
{
    static const char *const endings[] = {"x", "&x=1", "#", "/"};
    struct ol_manifest got;

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        json_t *json = sample_json();
        char longer[sizeof(path) + 8];

        snprintf(longer, sizeof(longer), "%s%s", path, endings[i]);
        json_object_set_new(json, "path", json_string(longer));
        is_int(ol_manifest_from_json(json, &got, NULL), -EBADMSG,
               "refused: path with %s behind", endings[i]);
        longer[10] ^= 1;
        longer[strlen(path)] = '\0';
        json_object_set_new(json, "path", json_string(longer));
        is_int(ol_manifest_from_json(json, &got, NULL), -EBADMSG,
               "refused: path of another root");
        json_decref(json);
    }
}

static void
test_envelope(void)
{
    json_t *json = sample_json();
    struct ol_keyset both = {2, {keys.keys[0], stranger}};
    struct ol_manifest m;
    struct ol_error err;
    char header[200], *payload = json_dumps(json, JSON_COMPACT), *token;
    size_t len;

    must(ol_jws_sign(key, OL_TYP_MANIFEST, json, &token, &len) == 0);
    is_int(ol_manifest_open(token, len, &keys, NOW + 120, &m, &err), -ETIME,
           "expired");
    has_str(err.text, "manifest: exp: expired 60 s ago", "which it says");
    is_int(ol_manifest_open(token, len, &keys, NOW - 61, &m, &err), -ETIME,
           "from the future");
    is_int(ol_manifest_open(token, len, &keys, NOW + 119, &m, &err), 0, "good");
    ol_manifest_clear(&m);
    free(token);

    must(ol_jws_sign(stranger, OL_TYP_MANIFEST, json, &token, &len) == 0);
    is_int(ol_manifest_open(token, len, &keys, NOW, &m, &err), -ENOKEY,
           "by another key");
    is_int(ol_manifest_open(token, len, &both, NOW, &m, &err), 0,
           "unless the site has that, too");
    ol_manifest_clear(&m);
    free(token);

    forge_header(key, OL_TYP_MANIFEST, header);
    token = forge_token(stranger, header, payload);
    is_int(ol_manifest_open(token, strlen(token), &both, NOW, &m, &err),
           -EKEYREJECTED, "by another key than it names");
    free(token);
    must(ol_jws_sign(key, OL_TYP_SITE, json, &token, &len) == 0);
    is_int(ol_manifest_open(token, len, &keys, NOW, &m, &err), -EBADMSG,
           "of another typ");
    free(token);
    snprintf(header, sizeof(header),
             "{\"alg\":\"none\",\"typ\":\"%s\",\"kid\":\"%s\"}",
             OL_TYP_MANIFEST, ol_key_id(key));
    token = forge_token(key, header, payload);
    is_int(ol_manifest_open(token, strlen(token), &keys, NOW, &m, &err),
           -EBADMSG, "alg none");
    has_str(err.text, "alg is \"none\"", "which it says");
    free(token);
    free(payload);
    json_decref(json);
}

static void
test_bits(void)
{
    json_t *json = sample_json();
    struct ol_manifest m;
    struct ol_error err;
    char *token;
    size_t len, taken = 0, silent = 0, codes = 0;

    must(ol_jws_sign(key, OL_TYP_MANIFEST, json, &token, &len) == 0);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        int rc;

        token[bit / 8] ^= (char)(1 << bit % 8);
        err.text[0] = '\0';
        rc = ol_manifest_open(token, len, &keys, NOW, &m, &err);
        taken += rc == 0;
        silent += err.text[0] == '\0';
        codes += rc != -EBADMSG && rc != -ENOKEY && rc != -EKEYREJECTED;
        token[bit / 8] ^= (char)(1 << bit % 8);
    }
    is_int(taken, 0, "none of %zu bits can be flipped", 8 * len);
    is_int(silent, 0, "each time it says why");
    is_int(codes, 0, "as bad form, unknown key or bad signature");
    is_int(ol_manifest_open(token, len, &keys, NOW, &m, &err), 0, "unharmed");
    ol_manifest_clear(&m);
    free(token);
    json_decref(json);
}

/* sign KEYFILE NOW: prints a manifest. */
static int
tool_sign(const char *file, int64_t now)
{
    struct ol_error err;
    struct ol_manifest m;
    json_t *json;
    char *token;
    size_t len;

    if (ol_key_load(file, &key, &err) < 0) {
        diag("%s", err.text);
        return 1;
    }
    m = sample(key, now);
    json = ol_manifest_to_json(&m);
    if (ol_jws_sign(key, OL_TYP_MANIFEST, json, &token, &len) < 0)
        return 1;
    puts(token);
    free(token);
    json_decref(json);
    ol_key_free(key);
    return 0;
}

/* open JWKS TOKEN NOW: prints the payload, or the reason for refusal. */
static int
tool_open(const char *jwks, const char *token, int64_t now)
{
    struct ol_error err;
    struct ol_manifest m;
    char *text = NULL;
    int rc = ol_keyset_parse(jwks, strlen(jwks), &keys, &err);

    if (rc == 0)
        rc = ol_manifest_open(token, strlen(token), &keys, now, &m, &err);
    if (rc == 0) {
        text = json_dumps(m.json, JSON_COMPACT | JSON_SORT_KEYS);
        ol_manifest_clear(&m);
    }
    puts(text != NULL ? text : err.text);
    free(text);
    ol_keyset_clear(&keys);
    return rc == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "sign") == 0)
        return tool_sign(argv[2], atoll(argv[3]));
    if (argc == 5 && strcmp(argv[1], "open") == 0)
        return tool_open(argv[2], argv[3], atoll(argv[4]));

    must(ol_key_generate(&key) == 0 && ol_key_generate(&stranger) == 0);
    keys.count = 1;
    must(ol_key_from_x(ol_key_x(key), OL_KEY_CHARS, &keys.keys[0], NULL) == 0);
    test_round_trip();
    test_least_and_most();
    test_members();
    test_path();
    test_envelope();
    test_bits();
    ol_keyset_clear(&keys);
    ol_key_free(key);
    ol_key_free(stranger);
    return tap_done();
}

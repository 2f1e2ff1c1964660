/*
 * Manifests, written and read.  Owns: the members, their bounds and how they
 * must fit together.  A manifest that was read is all checked; time and
 * signature are ol_manifest_open's.
 */
#include "offload/manifest.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "offload/encoding.h"
#include "offload/json.h"
#include "offload/jws.h"
#include "offload/origin.h"
#include "offload/ticket.h"

#define TIME_MAX ((UINT64_C(1) << 53) - 1)
#define TYPE_MAX 255
#define ETAG_MAX 255
#define PATH_LEN_MAX (3 + OL_ROOT_HEX + 1 + OL_TICKET_MAX)

static int
sri_to_json(const struct ol_manifest *m, json_t *content)
{
    char sig[OL_BASE64URL_LEN(OL_SIG_BYTES) + 1];

    if (m->sri_name == NULL)
        return 0;
    ol_base64url_encode(sig, m->sri.sig, OL_SIG_BYTES);
    return json_object_set_new(
        content, "sri",
        json_pack("{s:s, s:s, s:I, s:I, s:s}", "name", m->sri_name, "key",
                  m->sri.key, "created", (json_int_t)m->sri.created, "expires",
                  (json_int_t)m->sri.expires, "signature", sig));
}

static json_t *
content_to_json(const struct ol_manifest *m)
{
    size_t len = (size_t)ol_piece_count(m->size) * OL_HASH_BYTES;
    char root[OL_ROOT_HEX + 1], sha256[OL_ROOT_HEX + 1];
    char table[OL_BASE64URL_LEN(OL_TABLE_INLINE) + 1];
    json_t *content;

    ol_hex_encode(root, m->root, OL_HASH_BYTES);
    ol_hex_encode(sha256, m->sha256, OL_HASH_BYTES);
    content =
        json_pack("{s:s, s:I, s:I, s:s, s:s, s:s}", "root", root, "size",
                  (json_int_t)m->size, "piece_size", (json_int_t)m->piece_size,
                  "sha256", sha256, "type", m->type, "etag", m->etag);
    if (content != NULL && sri_to_json(m, content) < 0) {
        json_decref(content);
        return NULL;
    }
    if (content == NULL || m->table == NULL || len > OL_TABLE_INLINE)
        return content;
    ol_base64url_encode(table, m->table, len);
    if (json_object_set_new(content, "table", json_string(table)) < 0) {
        json_decref(content);
        return NULL;
    }
    return content;
}

static json_t *
peers_to_json(const struct ol_manifest *m)
{
    json_t *list = json_array();

    for (size_t i = 0; list != NULL && i < m->peer_count; i++) {
        const struct ol_peer *peer = &m->peers[i];
        json_t *item =
            json_pack("{s:s, s:s}", "id", peer->id, "url", peer->url);

        if (item != NULL && peer->zone[0] != '\0' &&
            json_object_set_new(item, "zone", json_string(peer->zone)) < 0) {
            json_decref(item);
            item = NULL;
        }
        if (json_array_append_new(list, item) < 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *
trackers_to_json(const struct ol_manifest *m)
{
    json_t *list = json_array();

    for (size_t i = 0; list != NULL && i < m->tracker_count; i++) {
        if (json_array_append_new(list, json_string(m->trackers[i])) < 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

json_t *
ol_manifest_to_json(const struct ol_manifest *m)
{
    /* json_pack takes the three objects, also when one of them is NULL. */
    return json_pack("{s:s, s:s, s:I, s:I, s:o, s:s, s:o, s:o}", "iss", m->iss,
                     "sub", m->sub, "iat", (json_int_t)m->iat, "exp",
                     (json_int_t)m->exp, "content", content_to_json(m), "path",
                     m->path, "peers", peers_to_json(m), "trackers",
                     trackers_to_json(m));
}

static bool
is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < 0x20 || *text > 0x7e)
            return false;
    }
    return true;
}

/* A strong entity tag (RFC 9110 section 8.8.3) in ASCII. */
static bool
etag_ok(const char *etag)
{
    size_t len = strlen(etag);

    return len >= 2 && etag[0] == '"' && etag[len - 1] == '"' &&
           memchr(etag + 1, '"', len - 2) == NULL &&
           memchr(etag, ' ', len) == NULL && is_printable(etag);
}

/* An origin in the one canonical spelling. */
static int
origin_check(const char *name, const char *url, bool any_port,
             struct ol_error *err)
{
    struct ol_origin origin;
    struct ol_error why;

    if (ol_origin_parse_bare(url, strlen(url), &origin, &why) < 0)
        return ol_error_set(err, EBADMSG, "%s: %s", name, why.text);
    if (strcmp(origin.text, url) != 0)
        return ol_error_set(err, EBADMSG, "%s: \"%s\" should read \"%s\"", name,
                            url, origin.text);
    if (!any_port && !ol_origin_port_ok(&origin))
        return ol_error_set(err, EBADMSG,
                            "%s: port %u is not 80, 443 or at least 1024", name,
                            origin.port);
    return 0;
}

/* Encoded and normalised again, it must be what it was. */
static int
subject_check(const char *sub, struct ol_error *err)
{
    char encoded[3 * OL_SUB_MAX + 1], again[OL_SUB_MAX + 1];
    size_t len = strlen(sub), again_len;
    int n = ol_subject_encode(sub, len, encoded, sizeof(encoded));

    if (n < 0 ||
        ol_subject_normalise(encoded, (size_t)n, again, sizeof(again),
                             &again_len) < 0 ||
        again_len != len || memcmp(again, sub, len) != 0)
        return ol_error_set(err, EBADMSG, "sub: not a path in normal form");
    return 0;
}

static int
names_read(struct ol_manifest *m, struct ol_error *err)
{
    uint64_t iat, exp;
    int rc;

    if ((rc = ol_json_string(m->json, "iss", OL_ORIGIN_MAX - 1, &m->iss, err)) <
            0 ||
        (rc = ol_json_string(m->json, "sub", OL_SUB_MAX, &m->sub, err)) < 0 ||
        (rc = ol_json_uint(m->json, "iat", TIME_MAX, &iat, err)) < 0 ||
        (rc = ol_json_uint(m->json, "exp", TIME_MAX, &exp, err)) < 0 ||
        (rc = origin_check("iss", m->iss, true, err)) < 0 ||
        (rc = subject_check(m->sub, err)) < 0)
        return rc;
    if (exp <= iat)
        return ol_error_set(err, EBADMSG, "exp: not after iat");
    m->iat = (int64_t)iat;
    m->exp = (int64_t)exp;
    return 0;
}

static int
table_read(const json_t *content, struct ol_manifest *m, struct ol_error *err)
{
    const char *text;
    size_t len;
    int rc = ol_json_string(content, "table", OL_BASE64URL_LEN(OL_TABLE_INLINE),
                            &text, err);

    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return rc;
    m->table_bytes = malloc(OL_TABLE_INLINE);
    if (m->table_bytes == NULL)
        return ol_error_set(err, ENOMEM, "table: out of memory");
    if (ol_base64url_decode(m->table_bytes, OL_TABLE_INLINE, &len, text,
                            strlen(text)) < 0)
        return ol_error_set(err, EBADMSG, "table: not strict base64url");
    m->table = m->table_bytes;
    return ol_table_check(m->table, len, m->size, m->root, err);
}

static bool
is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

/* One segment, in the one spelling: it becomes part of a path. */
static bool
sri_name_ok(const char *name)
{
    if (name[0] == '\0')
        return false;
    for (const char *p = name; *p != '\0'; p++) {
        if (*p == '%' && is_hex(p[1]) && is_hex(p[2]))
            p += 2;
        else if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') &&
                 !(*p >= '0' && *p <= '9') && strchr("-._~", *p) == NULL)
            return false;
    }
    return true;
}

static int
sri_read(const json_t *content, struct ol_manifest *m, struct ol_error *err)
{
    uint8_t raw[OL_KEY_BYTES];
    uint64_t created, expires;
    const char *key;
    json_t *sri;
    int rc = ol_json_object(content, "sri", 64, &sri, err);

    if (rc == -ENOENT)
        return 0;
    if (rc < 0 ||
        (rc = ol_json_string(sri, "name", OL_SRI_NAME_MAX, &m->sri_name, err)) <
            0 ||
        (rc = ol_json_bytes(sri, "key", raw, sizeof(raw), err)) < 0 ||
        (rc = ol_json_string(sri, "key", OL_KEY_CHARS, &key, err)) < 0 ||
        (rc = ol_json_uint(sri, "created", TIME_MAX, &created, err)) < 0 ||
        (rc = ol_json_uint(sri, "expires", TIME_MAX, &expires, err)) < 0 ||
        (rc = ol_json_bytes(sri, "signature", m->sri.sig, OL_SIG_BYTES, err)) <
            0)
        return rc;
    if (!sri_name_ok(m->sri_name))
        return ol_error_set(err, EBADMSG, "name: not a percent-encoded one");
    if (expires <= created)
        return ol_error_set(err, EBADMSG, "expires: not after created");
    memcpy(m->sri.key, key, sizeof(m->sri.key));
    m->sri.created = (int64_t)created;
    m->sri.expires = (int64_t)expires;
    return 0;
}

static int
content_read(struct ol_manifest *m, struct ol_error *err)
{
    struct ol_error why;
    json_t *content;
    uint64_t piece_size;
    int rc;

    if ((rc = ol_json_object(m->json, "content", 64, &content, err)) < 0 ||
        (rc = ol_json_hex(content, "root", m->root, OL_HASH_BYTES, err)) < 0 ||
        (rc = ol_json_hex(content, "sha256", m->sha256, OL_HASH_BYTES, err)) <
            0 ||
        (rc = ol_json_uint(content, "size", OL_CONTENT_MAX, &m->size, err)) <
            0 ||
        (rc = ol_json_uint(content, "piece_size", OL_PIECE_MAX, &piece_size,
                           err)) < 0 ||
        (rc = ol_json_string(content, "type", TYPE_MAX, &m->type, err)) < 0 ||
        (rc = ol_json_string(content, "etag", ETAG_MAX, &m->etag, err)) < 0)
        return rc;
    if (m->size == 0)
        return ol_error_set(err, EBADMSG, "size: nothing");
    if (piece_size != ol_piece_size(m->size))
        return ol_error_set(err, EBADMSG,
                            "piece_size: %llu, not %lu as the size demands",
                            (unsigned long long)piece_size,
                            (unsigned long)ol_piece_size(m->size));
    if (!is_printable(m->type))
        return ol_error_set(err, EBADMSG, "type: not printable ASCII");
    if (!etag_ok(m->etag))
        return ol_error_set(err, EBADMSG, "etag: not a strong entity tag");
    m->piece_size = (uint32_t)piece_size;
    rc = sri_read(content, m, &why);
    if (rc < 0)
        return ol_error_set(err, -rc, "sri: %s", why.text);
    return table_read(content, m, err);
}

/* Exactly "/c/<root>?e=..&s=..": peers are asked for nothing else. */
static int
path_read(struct ol_manifest *m, struct ol_error *err)
{
    char start[3 + OL_ROOT_HEX + 2] = "/c/";
    size_t start_len = sizeof(start) - 1;
    uint8_t sig[OL_SIG_BYTES];
    int64_t e;
    int rc = ol_json_string(m->json, "path", PATH_LEN_MAX, &m->path, err);

    if (rc < 0)
        return rc;
    ol_hex_encode(start + 3, m->root, OL_HASH_BYTES);
    start[start_len - 1] = '?';
    start[start_len] = '\0';
    if (strncmp(m->path, start, start_len) != 0 ||
        ol_ticket_parse(m->path + start_len, strlen(m->path) - start_len, &e,
                        sig) < 0)
        return ol_error_set(err, EBADMSG, "path: not /c/<root>?e=..&s=..");
    return 0;
}

static int
peer_read(const json_t *item, struct ol_peer *peer, struct ol_error *err)
{
    uint8_t id[OL_KEY_BYTES];
    int rc;

    if ((rc = ol_json_bytes(item, "id", id, sizeof(id), err)) < 0 ||
        (rc = ol_json_string(item, "id", OL_KEY_CHARS, &peer->id, err)) < 0 ||
        (rc = ol_json_string(item, "url", OL_URL_MAX, &peer->url, err)) < 0 ||
        (rc = origin_check("url", peer->url, false, err)) < 0)
        return rc;
    rc = ol_json_string(item, "zone", OL_ZONE_MAX, &peer->zone, err);
    if (rc == -ENOENT) {
        peer->zone = "";
        return 0;
    }
    if (rc < 0)
        return rc;
    if (!is_printable(peer->zone))
        return ol_error_set(err, EBADMSG, "zone: not printable ASCII");
    return 0;
}

static int
peers_read(struct ol_manifest *m, struct ol_error *err)
{
    struct ol_error why;
    json_t *list, *item;
    size_t i;
    int rc = ol_json_array(m->json, "peers", OL_MANIFEST_PEERS, &list, err);

    if (rc < 0)
        return rc;
    json_array_foreach(list, i, item)
    {
        rc = peer_read(item, &m->peers[i], &why);
        if (rc < 0)
            return ol_error_set(err, -rc, "peers[%zu]: %s", i, why.text);
    }
    m->peer_count = json_array_size(list);
    return 0;
}

static int
trackers_read(struct ol_manifest *m, struct ol_error *err)
{
    json_t *list, *item;
    size_t i;
    int rc =
        ol_json_array(m->json, "trackers", OL_MANIFEST_TRACKERS, &list, err);

    if (rc < 0)
        return rc;
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item))
            return ol_error_set(err, EBADMSG, "trackers[%zu]: not a string", i);
        m->trackers[i] = json_string_value(item);
        rc = origin_check("trackers", m->trackers[i], false, err);
        if (rc < 0)
            return rc;
    }
    m->tracker_count = json_array_size(list);
    return 0;
}

int
ol_manifest_from_json(json_t *payload, struct ol_manifest *ret,
                      struct ol_error *err)
{
    struct ol_manifest m = {.json = json_incref(payload)};
    struct ol_error why;
    int rc;

    if ((rc = names_read(&m, &why)) < 0 || (rc = content_read(&m, &why)) < 0 ||
        (rc = path_read(&m, &why)) < 0 || (rc = peers_read(&m, &why)) < 0 ||
        (rc = trackers_read(&m, &why)) < 0) {
        ol_manifest_clear(&m);
        /* That a member is missing is one more way of being malformed. */
        return ol_error_set(err, rc == -ENOENT ? EBADMSG : -rc, "manifest: %s",
                            why.text);
    }
    *ret = m;
    return 0;
}

void
ol_manifest_clear(struct ol_manifest *m)
{
    json_decref(m->json);
    free(m->table_bytes);
    memset(m, 0, sizeof(*m));
}

int
ol_manifest_open(const char *token, size_t len, const struct ol_keyset *keys,
                 int64_t now, struct ol_manifest *ret, struct ol_error *err)
{
    struct ol_error why;
    struct ol_jws jws;
    int rc = ol_jws_open(token, len, OL_TYP_MANIFEST, keys, &jws, &why);

    if (rc < 0)
        return ol_error_set(err, -rc, "manifest: %s", why.text);
    rc = ol_claims_check_time(jws.payload, now, &why);
    if (rc < 0)
        ol_error_set(err, -rc, "manifest: %s", why.text);
    else
        rc = ol_manifest_from_json(jws.payload, ret, err);
    ol_jws_clear(&jws);
    return rc;
}

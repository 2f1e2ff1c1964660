/*
 * The bodies of a sync and of its answer as JSON.
 *
 * Pure: must not know keys, clock or network.
 */
#include "coordinator/sites/sync_codec.h"

#include <errno.h>
#include <string.h>

#include "coordinator/nodes/spare.h"
#include "offload/encoding.h"
#include "offload/json.h"
#include "offload/manifest.h"

static json_t *
encode_node(const struct sync_node *node)
{
    json_t *cidrs = json_loads(node->cidrs, 0, NULL), *obj;

    while (json_array_size(cidrs) > SYNC_CIDRS)
        json_array_remove(cidrs, json_array_size(cidrs) - 1);
    obj = json_pack("{s:i, s:s, s:s}", "n", (int)node->number, "id", node->id,
                    "url", node->url);
    if (obj != NULL && node->zone[0] != '\0')
        json_object_set_new(obj, "zone", json_string(node->zone));
    if (obj != NULL && json_array_size(cidrs) > 0)
        json_object_set(obj, "cidrs", cidrs);
    if (obj != NULL && node->spare != SPARE_UNKNOWN)
        json_object_set_new(obj, "spare", json_integer(node->spare));
    json_decref(cidrs);
    return obj;
}

static json_t *
encode_candidates(const struct sync_content *content)
{
    uint8_t raw[4 * SYNC_CANDIDATES];
    char text[OL_BASE64URL_LEN(sizeof(raw)) + 1];

    for (size_t i = 0; i < content->count; i++) {
        raw[4 * i] = (uint8_t)(content->candidates[i] >> 24);
        raw[4 * i + 1] = (uint8_t)(content->candidates[i] >> 16);
        raw[4 * i + 2] = (uint8_t)(content->candidates[i] >> 8);
        raw[4 * i + 3] = (uint8_t)content->candidates[i];
    }
    ol_base64url_encode(text, raw, 4 * content->count);
    return json_string(text);
}

static void
encode_lists(json_t *obj, const struct sync_body *body)
{
    json_t *nodes = json_array(), *gone = json_array();
    json_t *contents = json_object();

    for (size_t i = 0; i < body->node_count; i++)
        json_array_append_new(nodes, encode_node(&body->nodes[i]));
    for (size_t i = 0; i < body->gone_count; i++)
        json_array_append_new(gone, json_integer(body->gone[i]));
    for (size_t i = 0; i < body->content_count; i++)
        json_object_set_new(contents, body->contents[i].root,
                            encode_candidates(&body->contents[i]));
    json_object_set_new(obj, "nodes", nodes);
    json_object_set_new(obj, "gone", gone);
    json_object_set_new(obj, "contents", contents);
}

json_t *
sync_encode(const struct sync_body *body)
{
    char epoch[OL_BASE64URL_LEN(SYNC_EPOCH_BYTES) + 1];
    json_t *obj;

    obj = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:i}", "iss",
                    body->iss, "aud", body->aud, "iat", (json_int_t)body->iat,
                    "exp", (json_int_t)body->exp, "seq", (json_int_t)body->seq,
                    "base", (json_int_t)body->base, "ack",
                    (json_int_t)body->ack, "wait", (int)body->wait_ms);
    if (obj == NULL)
        return NULL;
    if (body->epoch != NULL) {
        ol_base64url_encode(epoch, body->epoch, SYNC_EPOCH_BYTES);
        json_object_set_new(obj, "epoch", json_string(epoch));
    }
    if (body->part != 0)
        json_object_set_new(obj, "full",
                            json_pack("{s:i, s:i}", "part", (int)body->part,
                                      "parts", (int)body->parts));
    encode_lists(obj, body);
    return obj;
}

/* An absent boolean is false. */
static int
decode_bool(const json_t *obj, const char *name, bool *ret,
            struct ol_error *err)
{
    const json_t *value = json_object_get(obj, name);

    if (value != NULL && !json_is_boolean(value))
        return ol_error_set(err, EBADMSG, "%s: not true or false", name);
    *ret = json_is_true(value);
    return 0;
}

/* What may be absent. */
static int
decode_optional(int rc)
{
    return rc == -ENOENT ? 0 : rc;
}

static int
decode_entry(const json_t *obj, struct sync_entry *ret, struct ol_error *err)
{
    int rc;

    if (!json_is_object(obj))
        return ol_error_set(err, EBADMSG, "contents: an entry is no object");
    rc = ol_json_hex(obj, "root", ret->root, sizeof(ret->root), err);
    if (rc == 0)
        rc = decode_bool(obj, "gone", &ret->gone, err);
    ret->sub = "";
    ret->size = ret->demand = 0;
    ret->has_infohash = false;
    if (rc != 0)
        return rc;
    rc = ol_json_string(obj, "sub", OL_SUB_MAX, &ret->sub, err);
    if (ret->gone)
        return decode_optional(rc);
    if (rc == 0)
        rc = ol_json_uint(obj, "size", OL_CONTENT_MAX, &ret->size, err);
    if (rc == 0 && (ret->sub[0] != '/' || ret->size == 0))
        rc = ol_error_set(err, EBADMSG, "contents: no path or no size");
    if (rc == 0)
        rc = decode_optional(
            ol_json_uint(obj, "demand", UINT64_MAX >> 11, &ret->demand, err));
    if (rc == 0 && json_object_get(obj, "infohash") != NULL) {
        rc = ol_json_hex(obj, "infohash", ret->infohash, OL_SHA1_BYTES, err);
        ret->has_infohash = rc == 0;
    }
    return rc;
}

static int
decode_account(const json_t *obj, struct sync_account *ret,
               struct ol_error *err)
{
    uint8_t raw[OL_KEY_BYTES];
    int rc;

    if (!json_is_object(obj))
        return ol_error_set(err, EBADMSG, "nodes: an entry is no object");
    rc = ol_json_bytes(obj, "id", raw, sizeof(raw), err);
    if (rc == 0)
        rc = ol_json_string(obj, "id", OL_KEY_CHARS + 1, &ret->node, err);
    if (rc == 0)
        rc = ol_json_uint(obj, "serial", UINT64_MAX >> 11, &ret->serial, err);
    if (rc == 0)
        rc = ol_json_uint(obj, "bytes", UINT64_MAX >> 11, &ret->bytes, err);
    if (rc == 0)
        rc = ol_json_uint(obj, "failed", UINT64_MAX >> 11, &ret->failed, err);
    return rc;
}

static int
decode_accounts(const json_t *payload, struct sync_answer *ret,
                struct ol_error *err)
{
    json_t *list = NULL;
    int rc;

    rc = ol_json_array(payload, "nodes", SYNC_ANSWER_ACCOUNTS, &list, err);
    if (rc != 0)
        return decode_optional(rc);
    for (size_t i = 0; i < json_array_size(list) && rc == 0; i++)
        rc = decode_account(json_array_get(list, i), &ret->accounts[i], err);
    ret->account_count = json_array_size(list);
    return rc == -ENOENT ? -EBADMSG : rc;
}

int
sync_decode(const json_t *payload, struct sync_answer *ret,
            struct ol_error *err)
{
    const char *need = NULL;
    json_t *list = NULL;
    int rc;

    memset(ret, 0, offsetof(struct sync_answer, accounts));
    rc = ol_json_uint(payload, "seq", UINT64_MAX >> 11, &ret->seq, err);
    if (rc == 0)
        rc = ol_json_uint(payload, "clock", UINT64_MAX >> 11, &ret->clock, err);
    if (rc == 0)
        rc = ol_json_bytes(payload, "epoch", ret->epoch, sizeof(ret->epoch),
                           err);
    if (rc == 0)
        rc = ol_json_string(payload, "epoch", 64, &ret->epoch_text, err);
    if (rc == 0)
        rc = decode_bool(payload, "more", &ret->more, err);
    if (rc != 0)
        return rc == -ENOENT ? -EBADMSG : rc;
    rc = ol_json_string(payload, "need", 16, &need, err);
    if (rc != 0 && rc != -ENOENT)
        return rc;
    ret->need_full = need != NULL && strcmp(need, "full") == 0;
    rc = decode_accounts(payload, ret, err);
    if (rc != 0)
        return rc;
    rc = ol_json_array(payload, "contents", SYNC_ANSWER_ENTRIES, &list, err);
    if (rc != 0)
        return rc == -ENOENT ? 0 : rc;
    for (size_t i = 0; i < json_array_size(list); i++) {
        rc = decode_entry(json_array_get(list, i), &ret->entries[i], err);
        if (rc != 0)
            return rc == -ENOENT ? -EBADMSG : rc;
    }
    ret->count = json_array_size(list);
    return 0;
}

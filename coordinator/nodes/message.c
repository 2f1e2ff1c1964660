/*
 * A node's message: a JWS whose fields are decoded and checked before anything
 * is looked up or stored.
 *
 * Pure: must not know requests, the store or the clock.
 */
#include "coordinator/nodes/message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offload/bitmap.h"
#include "offload/encoding.h"
#include "offload/json.h"
#include "offload/jws.h"
#include "offload/manifest.h"
#include "offload/origin.h"

#define STORE_NAME_MAX 64

int
message_claims(const json_t *payload, const char *kid, const char *aud,
               int64_t now, struct ol_error *err)
{
    int rc = ol_claims_check_string(payload, "iss", kid, err);

    if (rc == 0)
        rc = ol_claims_check_string(payload, "aud", aud, err);
    if (rc == 0)
        rc = ol_claims_check_time(payload, now, err);
    return rc;
}

/* A missing member of a message is a malformed message. */
static int
required(int rc)
{
    return rc == -ENOENT ? -EBADMSG : rc;
}

static int
optional(int rc)
{
    return rc == -ENOENT ? 0 : rc;
}

static int
zone_check(const char *zone, struct ol_error *err)
{
    for (const char *p = zone; *p != '\0'; p++)
        if (*p < '!' || *p > '~')
            return ol_error_set(err, EBADMSG,
                                "zone: only printable ASCII without blanks");
    return 0;
}

static int
cidrs_decode(const json_t *payload, struct message_register *ret,
             struct ol_error *err)
{
    json_t *list = NULL, *entry;
    struct ol_cidr cidr;
    size_t i;
    int rc;

    rc = optional(ol_json_array(payload, "cidrs", MESSAGE_CIDRS, &list, err));
    if (rc != 0)
        return rc;
    json_array_foreach(list, i, entry)
    {
        if (!json_is_string(entry))
            return ol_error_set(err, EBADMSG, "cidrs: not a string");
        if (ol_cidr_parse(json_string_value(entry), &cidr, err) != 0)
            return -EBADMSG;
        ret->cidrs[i] = json_string_value(entry);
    }
    ret->cidr_count = json_array_size(list);
    return 0;
}

/* A site's origin, in its one spelling. */
static int
site_check(const char *text, const char *member, struct ol_error *err)
{
    struct ol_origin origin;

    if (text == NULL)
        return ol_error_set(err, EBADMSG, "%s: not a string", member);
    if (ol_origin_parse_bare(text, strlen(text), &origin, err) != 0)
        return -EBADMSG;
    if (strcmp(origin.text, text) != 0)
        return ol_error_set(err, EBADMSG, "%s: \"%.100s\" must be \"%.100s\"",
                            member, text, origin.text);
    return 0;
}

static int
sites_decode(const json_t *payload, struct message_register *ret,
             struct ol_error *err)
{
    json_t *list = NULL, *entry;
    size_t i;
    int rc;

    rc = ol_json_array(payload, "sites", MESSAGE_SITES, &list, err);
    if (rc != 0)
        return optional(rc);
    if (json_array_size(list) == 0)
        return ol_error_set(err, EBADMSG,
                            "sites: none; leave it out to serve all");
    json_array_foreach(list, i, entry)
    {
        rc = site_check(json_string_value(entry), "sites", err);
        if (rc != 0)
            return rc;
        ret->sites[i] = json_string_value(entry);
    }
    ret->site_count = json_array_size(list);
    return 0;
}

/* What the node may leave out. */
static int
terms_decode(const json_t *payload, struct message_register *ret,
             struct ol_error *err)
{
    int rc;

    ret->weight = MESSAGE_WEIGHT_MAX;
    ret->invitation = "";
    rc = optional(
        ol_json_uint(payload, "weight", MESSAGE_WEIGHT_MAX, &ret->weight, err));
    if (rc == 0 && ret->weight == 0)
        rc = ol_error_set(err, EBADMSG, "weight: from 1 to %d percent",
                          MESSAGE_WEIGHT_MAX);
    if (rc == 0)
        rc = optional(ol_json_string(payload, "invitation", MESSAGE_INVITATION,
                                     &ret->invitation, err));
    if (rc == 0)
        rc = sites_decode(payload, ret, err);
    return rc;
}

int
message_register(const json_t *payload, struct message_register *ret,
                 struct ol_error *err)
{
    struct ol_origin origin;
    int rc;

    memset(ret, 0, sizeof(*ret));
    ret->zone = "";
    rc = ol_json_uint(payload, "seq", MESSAGE_SEQ_MAX, &ret->seq, err);
    if (rc == 0)
        rc = ol_json_string(payload, "key", OL_KEY_CHARS, &ret->key, err);
    if (rc == 0)
        rc = ol_json_string(payload, "url", OL_URL_MAX, &ret->url, err);
    if (rc == 0)
        rc = ol_json_uint(payload, "capacity", MESSAGE_SEQ_MAX, &ret->capacity,
                          err);
    if (rc == 0)
        rc = ol_json_uint(payload, "rate", MESSAGE_SEQ_MAX, &ret->rate, err);
    if (rc != 0)
        return required(rc);
    rc =
        optional(ol_json_string(payload, "zone", OL_ZONE_MAX, &ret->zone, err));
    if (rc == 0)
        rc = zone_check(ret->zone, err);
    if (rc == 0)
        rc = cidrs_decode(payload, ret, err);
    if (rc == 0)
        rc = terms_decode(payload, ret, err);
    if (rc != 0)
        return rc;
    if (ol_origin_parse_bare(ret->url, strlen(ret->url), &origin, err) != 0)
        return -EBADMSG;
    if (strcmp(origin.text, ret->url) != 0)
        return ol_error_set(err, EBADMSG, "url: \"%.100s\" must be \"%.100s\"",
                            ret->url, origin.text);
    if (!ol_origin_port_ok(&origin))
        return ol_error_set(err, EBADMSG,
                            "url: port %u, only 80, 443 and from 1024 on",
                            origin.port);
    return 0;
}

static int
root_decode(const char *text, const char **ret, struct ol_error *err)
{
    uint8_t raw[OL_HASH_BYTES];

    if (text == NULL || strlen(text) != OL_ROOT_HEX ||
        ol_hex_decode(raw, sizeof(raw), text, OL_ROOT_HEX) != 0)
        return ol_error_set(err, EBADMSG,
                            "root: not %d lower-case hex characters",
                            OL_ROOT_HEX);
    *ret = text;
    return 0;
}

/* A member that may be left out, and zeroed room for what is in it. */
static int
list_decode(const json_t *payload, const char *name, size_t max, size_t size,
            json_t **list, void **ret, struct ol_error *err)
{
    int rc = ol_json_array(payload, name, max, list, err);

    if (rc != 0)
        return optional(rc);
    if (json_array_size(*list) == 0)
        return 0;
    *ret = calloc(json_array_size(*list), size);
    return *ret != NULL ? 0 : ol_error_set(err, ENOMEM, "no memory");
}

static int
bitmap_decode(const json_t *entry, char **ret, struct ol_error *err)
{
    const char *text;
    struct ol_bitmap bitmap;
    uint64_t count;
    int rc, len;

    rc = ol_json_string(entry, "bitmap", OL_BASE64URL_LEN(MESSAGE_PIECES / 8),
                        &text, err);
    if (rc == -ENOENT) {
        *ret = strdup("");
        return *ret == NULL ? -ENOMEM : 0;
    }
    if (rc == 0)
        rc = ol_json_uint(entry, "count", MESSAGE_PIECES, &count, err);
    if (rc != 0)
        return required(rc);
    rc = ol_bitmap_parse(&bitmap, (uint32_t)count, text, strlen(text), err);
    if (rc != 0)
        return rc;
    if (ol_bitmap_full(&bitmap))
        len = asprintf(ret, "%s", "");
    else
        len = asprintf(ret, "%u/%u %s", bitmap.set, bitmap.count,
                       count <= MESSAGE_BITMAP_PIECES ? text : "-");
    ol_bitmap_clear(&bitmap);
    if (len < 0)
        *ret = NULL;
    return len < 0 ? -ENOMEM : 0;
}

static int
holdings_decode(const json_t *payload, struct message_heartbeat *ret,
                struct ol_error *err)
{
    struct message_holding *holding;
    void *room = NULL;
    json_t *list = NULL, *entry;
    size_t i;
    int rc;

    rc = list_decode(payload, "holdings", MESSAGE_HOLDINGS,
                     sizeof(*ret->holdings), &list, &room, err);
    ret->holdings = room;
    if (rc != 0)
        return rc;
    json_array_foreach(list, i, entry)
    {
        if (!json_is_object(entry))
            return ol_error_set(err, EBADMSG, "holdings: not an object");
        holding = &ret->holdings[i];
        rc = root_decode(json_string_value(json_object_get(entry, "root")),
                         &holding->root, err);
        if (rc == 0)
            rc = bitmap_decode(entry, &holding->bitmap, err);
        if (rc != 0)
            return rc;
        ret->holding_count++;
    }
    return 0;
}

static int
dropped_decode(const json_t *payload, struct message_heartbeat *ret,
               struct ol_error *err)
{
    void *room = NULL;
    json_t *list = NULL, *entry;
    size_t i;
    int rc;

    rc = list_decode(payload, "dropped", MESSAGE_HOLDINGS,
                     sizeof(*ret->dropped), &list, &room, err);
    ret->dropped = room;
    if (rc != 0)
        return rc;
    json_array_foreach(list, i, entry)
    {
        rc = root_decode(json_string_value(entry), &ret->dropped[i], err);
        if (rc != 0)
            return rc;
        ret->dropped_count++;
    }
    return 0;
}

/* Bytes without the epoch that they are counted in mean nothing. */
static int
served_decode(const json_t *payload, struct message_heartbeat *ret,
              struct ol_error *err)
{
    void *room = NULL;
    json_t *list = NULL, *entry;
    struct message_served *served;
    size_t i;
    int rc;

    rc = list_decode(payload, "served", MESSAGE_SERVED, sizeof(*ret->served),
                     &list, &room, err);
    ret->served = room;
    if (rc != 0 || json_array_size(list) == 0)
        return rc;
    rc = ol_json_bytes(payload, "epoch", ret->epoch, MESSAGE_EPOCH, err);
    if (rc != 0)
        return required(rc);
    json_array_foreach(list, i, entry)
    {
        if (!json_is_object(entry))
            return ol_error_set(err, EBADMSG, "served: not an object");
        served = &ret->served[i];
        served->iss = json_string_value(json_object_get(entry, "iss"));
        rc = site_check(served->iss, "served: iss", err);
        if (rc == 0)
            rc = ol_json_uint(entry, "bytes", MESSAGE_SEQ_MAX, &served->bytes,
                              err);
        if (rc != 0)
            return required(rc);
        ret->served_count++;
    }
    return 0;
}

static int
wrong_decode(const json_t *payload, struct message_heartbeat *ret,
             struct ol_error *err)
{
    uint8_t raw[OL_HASH_BYTES];
    void *room = NULL;
    json_t *list = NULL, *entry;
    const char *id;
    size_t i;
    int rc;

    rc = list_decode(payload, "wrong", MESSAGE_WRONG, sizeof(*ret->wrong),
                     &list, &room, err);
    ret->wrong = room;
    if (rc != 0)
        return rc;
    json_array_foreach(list, i, entry)
    {
        id = json_string_value(json_object_get(entry, "id"));
        if (id == NULL ||
            ol_base64url_decode_exact(raw, sizeof(raw), id, strlen(id)) != 0)
            return ol_error_set(err, EBADMSG, "wrong: id: not a node's id");
        rc = root_decode(json_string_value(json_object_get(entry, "root")),
                         &ret->wrong[i].root, err);
        if (rc != 0)
            return rc;
        ret->wrong[i].id = id;
        ret->wrong_count++;
    }
    return 0;
}

static int
drain_decode(const json_t *payload, struct message_heartbeat *ret,
             struct ol_error *err)
{
    const json_t *drain = json_object_get(payload, "drain");

    if (drain != NULL && !json_is_boolean(drain))
        return ol_error_set(err, EBADMSG, "drain: neither true nor false");
    ret->drain = json_is_true(drain);
    return 0;
}

int
message_heartbeat(const json_t *payload, struct message_heartbeat *ret,
                  struct ol_error *err)
{
    json_t *load;
    int rc;

    memset(ret, 0, sizeof(*ret));
    ret->store = "";
    rc = ol_json_uint(payload, "seq", MESSAGE_SEQ_MAX, &ret->seq, err);
    if (rc == 0)
        rc = ol_json_object(payload, "load", 16, &load, err);
    if (rc == 0)
        rc = ol_json_uint(load, "rate", MESSAGE_SEQ_MAX, &ret->rate, err);
    if (rc == 0)
        rc = ol_json_uint(load, "connections", MESSAGE_SEQ_MAX,
                          &ret->connections, err);
    if (rc == 0)
        rc = ol_json_uint(load, "free", MESSAGE_SEQ_MAX, &ret->free, err);
    if (rc != 0)
        return required(rc);
    rc = optional(
        ol_json_uint(payload, "wait", MESSAGE_WAIT_MAX_MS, &ret->wait_ms, err));
    if (rc == 0)
        rc = optional(
            ol_json_string(payload, "store", STORE_NAME_MAX, &ret->store, err));
    if (rc == 0)
        rc = holdings_decode(payload, ret, err);
    if (rc == 0)
        rc = dropped_decode(payload, ret, err);
    if (rc == 0)
        rc = drain_decode(payload, ret, err);
    if (rc == 0)
        rc = served_decode(payload, ret, err);
    if (rc == 0)
        rc = wrong_decode(payload, ret, err);
    return rc;
}

void
message_heartbeat_clear(struct message_heartbeat *m)
{
    for (size_t i = 0; i < m->holding_count; i++)
        free(m->holdings[i].bitmap);
    free(m->holdings);
    free(m->dropped);
    free(m->served);
    free(m->wrong);
    memset(m, 0, sizeof(*m));
}


/*
 * The members of an answer to a sync, written: what has changed at the site
 * since the coordinator last heard of it.
 */


#include "ngx_http_offload_sync.h"

#include "offload/encoding.h"
#include "offload/jws.h"


static json_t *ngx_http_offload_write_items(
    ngx_http_offload_sync_answer_t *answer);
static json_t *ngx_http_offload_write_item(
    ngx_http_offload_sync_item_t *item);
static json_t *ngx_http_offload_write_tallies(
    ngx_http_offload_sync_answer_t *answer);


json_t *
ngx_http_offload_sync_encode(ngx_http_offload_sync_answer_t *answer,
    char *iss, const char *aud, time_t now)
{
    char     epoch[OL_BASE64URL_LEN(NGX_HTTP_OFFLOAD_EPOCH_LEN) + 1];
    json_t  *json;

    ol_base64url_encode(epoch, answer->epoch, NGX_HTTP_OFFLOAD_EPOCH_LEN);

    json = json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:I, s:o, s:o}",
                     "iss", iss,
                     "aud", aud,
                     "iat", (json_int_t) now,
                     "exp", (json_int_t) now + OL_LEEWAY_S,
                     "seq", (json_int_t) answer->seq,
                     "epoch", epoch,
                     "clock", (json_int_t) answer->clock,
                     "contents", ngx_http_offload_write_items(answer),
                     "nodes", ngx_http_offload_write_tallies(answer));

    if (json && answer->need_full) {
        (void) json_object_set_new(json, "need", json_string("full"));
    }

    if (json && answer->more) {
        (void) json_object_set_new(json, "more", json_true());
    }

    return json;
}


static json_t *
ngx_http_offload_write_items(ngx_http_offload_sync_answer_t *answer)
{
    json_t      *contents;
    ngx_uint_t   i;

    contents = json_array();

    for (i = 0; contents && i < answer->nitems; i++) {
        if (json_array_append_new(contents,
                              ngx_http_offload_write_item(&answer->items[i]))
            != 0)
        {
            json_decref(contents);
            contents = NULL;
        }
    }

    return contents;
}


static json_t *
ngx_http_offload_write_item(ngx_http_offload_sync_item_t *item)
{
    char     root[OL_ROOT_HEX + 1], infohash[OL_HEX_LEN(OL_SHA1_BYTES) + 1];
    json_t  *json;

    ol_hex_encode(root, item->root, OL_HASH_BYTES);

    json = json_pack("{s:s, s:s%, s:I, s:I}",
                     "root", root,
                     "sub", item->sub.data, item->sub.len,
                     "size", (json_int_t) item->size,
                     "demand", (json_int_t) item->demand);

    if (json && item->torrent) {
        ol_hex_encode(infohash, item->infohash, OL_SHA1_BYTES);
        (void) json_object_set_new(json, "infohash", json_string(infohash));
    }

    if (json && item->gone) {
        (void) json_object_set_new(json, "gone", json_true());
    }

    return json;
}


static json_t *
ngx_http_offload_write_tallies(ngx_http_offload_sync_answer_t *answer)
{
    char                           id[OL_KEY_CHARS + 1];
    json_t                        *nodes;
    ngx_uint_t                     i;
    ngx_http_offload_tally_item_t *tally;

    nodes = json_array();

    for (i = 0; nodes && i < answer->ntallies; i++) {
        tally = &answer->tallies[i];

        ol_base64url_encode(id, tally->id, OL_KEY_BYTES);

        if (json_array_append_new(nodes,
                                  json_pack("{s:s, s:I, s:I, s:I}",
                                            "id", id,
                                            "serial",
                                            (json_int_t) tally->serial,
                                            "bytes", (json_int_t) tally->bytes,
                                            "failed",
                                            (json_int_t) tally->failed))
            != 0)
        {
            json_decref(nodes);
            nodes = NULL;
        }
    }

    return nodes;
}

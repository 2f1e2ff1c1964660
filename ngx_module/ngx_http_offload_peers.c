
/*
 * "peers?path=…": why these peers, for whom.  Tells of every candidate of a
 * file, for one client's address, what a manifest made now would make of it:
 * the selection that serves is run, and written down.
 */


#include "ngx_http_offload.h"
#include "ngx_http_offload_select.h"

#include "offload/encoding.h"
#include "offload/origin.h"


typedef struct {                             /* what was asked */
    ngx_str_t                       sub;
    ngx_uint_t                      variant;
    ngx_http_offload_client_t       client;
} ngx_http_offload_peers_query_t;


typedef struct {                             /* copies, as nodes may go */
    char                            coordinator[OL_KEY_CHARS + 1];
    char                            id[OL_KEY_CHARS + 1];
    char                            url[OL_URL_MAX + 1];
    char                            zone[OL_ZONE_MAX + 1];
} ngx_http_offload_peers_node_t;


typedef struct {                             /* what there is to tell */
    char                           *status;
    char                           *why;     /* NULL: no more to say */
    char                            root[OL_ROOT_HEX + 1];
    off_t                           size;
    ngx_http_offload_selection_t    sel;
    ngx_http_offload_peers_node_t   nodes[OL_SELECTION_MAX];
} ngx_http_offload_peers_t;


static ngx_int_t ngx_http_offload_peers_ask(ngx_http_request_t *r,
    ngx_http_offload_peers_query_t *query, char **error);
static ngx_int_t ngx_http_offload_peers_variant(ngx_http_request_t *r,
    ngx_http_offload_peers_query_t *query, char **error);
static ngx_int_t ngx_http_offload_peers_from(ngx_http_request_t *r,
    ngx_http_offload_peers_query_t *query, char **error);
static ngx_int_t ngx_http_offload_peers_locality(ngx_http_request_t *r,
    ngx_http_offload_peers_query_t *query, char **error);
static ngx_int_t ngx_http_offload_peers_arg(ngx_http_request_t *r, char *name,
    ngx_str_t *value);
static void ngx_http_offload_peers_find(ngx_http_request_t *r,
    ngx_http_offload_peers_query_t *query, ngx_http_offload_peers_t *found);
static void ngx_http_offload_peers_state(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file, ngx_http_offload_peers_t *found);
static void ngx_http_offload_peers_copy(ngx_http_offload_sh_t *sh,
    ngx_http_offload_peers_t *found);
static json_t *ngx_http_offload_peers_json(ngx_http_request_t *r,
    ngx_http_offload_peers_query_t *query, ngx_http_offload_peers_t *found);
static json_t *ngx_http_offload_peers_file_json(
    ngx_http_offload_peers_query_t *query, ngx_http_offload_peers_t *found);
static json_t *ngx_http_offload_peers_list(ngx_http_offload_peers_t *found,
    ngx_uint_t max);
static json_t *ngx_http_offload_peers_item(ngx_http_offload_peers_t *found,
    ngx_uint_t i, ngx_uint_t max);
static json_t *ngx_http_offload_peers_why(ngx_http_offload_choice_t *choice);


ngx_int_t
ngx_http_offload_peers_explain(ngx_http_request_t *r)
{
    char                            *text, *error;
    json_t                          *json;
    ngx_int_t                        rc;
    ngx_http_offload_peers_t        *found;
    ngx_http_offload_peers_query_t   query;

    if (!ngx_http_offload_local(r)) {
        return ngx_http_offload_refuse(r, NGX_HTTP_FORBIDDEN,
                                       "peers is for loopback addresses "
                                       "only, and not by way of a proxy",
                                       NULL);
    }

    error = NULL;

    if (ngx_http_offload_peers_ask(r, &query, &error) != NGX_OK) {
        return error ? ngx_http_offload_refuse(r, NGX_HTTP_BAD_REQUEST, error,
                                               NULL)
                     : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    found = ngx_pcalloc(r->pool, sizeof(ngx_http_offload_peers_t));
    if (found == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_offload_peers_find(r, &query, found);

    json = ngx_http_offload_peers_json(r, &query, found);
    text = json ? json_dumps(json, JSON_INDENT(2)|JSON_REAL_PRECISION(6))
                : NULL;

    json_decref(json);

    if (text == NULL
        || ngx_http_offload_header(r, "Cache-Control", "no-store") != NGX_OK)
    {
        free(text);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_offload_send(r, NGX_HTTP_OK, "application/json",
                               (u_char *) text, ngx_strlen(text));
    free(text);

    return rc;
}


static ngx_int_t
ngx_http_offload_peers_ask(ngx_http_request_t *r,
    ngx_http_offload_peers_query_t *query, char **error)
{
    size_t                  len;
    ngx_str_t               path;
    ngx_http_offload_ctx_t  ctx;

    ngx_memzero(query, sizeof(ngx_http_offload_peers_query_t));
    ngx_memzero(&ctx, sizeof(ngx_http_offload_ctx_t));

    /* the one who asks, unless he says otherwise */

    if (ngx_http_offload_client(r, &ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    query->client = ctx.client;

    if (ngx_http_arg(r, (u_char *) "path", 4, &path) != NGX_OK) {
        *error = "peers: which file? Ask for peers?path=/its/path, and "
                 "perhaps &from=ADDRESS&locality=ZONE&variant=0..7";
        return NGX_ERROR;
    }

    query->sub.data = ngx_pnalloc(r->pool, OL_SUB_MAX + 1);
    if (query->sub.data == NULL) {
        return NGX_ERROR;
    }

    if (ol_subject_normalise((char *) path.data, path.len,
                             (char *) query->sub.data, OL_SUB_MAX + 1, &len)
        != 0)
    {
        *error = "path: not an absolute path of UTF-8, percent-encoded";
        return NGX_ERROR;
    }

    query->sub.len = len;

    if (ngx_http_offload_peers_variant(r, query, error) != NGX_OK
        || ngx_http_offload_peers_from(r, query, error) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_offload_peers_locality(r, query, error);
}


static ngx_int_t
ngx_http_offload_peers_variant(ngx_http_request_t *r,
    ngx_http_offload_peers_query_t *query, char **error)
{
    ngx_int_t  n;
    ngx_str_t  value;

    if (ngx_http_arg(r, (u_char *) "variant", 7, &value) != NGX_OK) {
        return NGX_OK;
    }

    n = ngx_atoi(value.data, value.len);

    if (n == NGX_ERROR || n >= NGX_HTTP_OFFLOAD_VARIANTS) {
        *error = "variant: not a number from 0 to 7";
        return NGX_ERROR;
    }

    query->variant = (ngx_uint_t) n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_peers_from(ngx_http_request_t *r,
    ngx_http_offload_peers_query_t *query, char **error)
{
    char       text[OL_ADDR_TEXT];
    ngx_int_t  rc;
    ngx_str_t  value;

    rc = ngx_http_offload_peers_arg(r, "from", &value);

    if (rc == NGX_DECLINED) {
        return NGX_OK;
    }

    if (rc == NGX_OK && value.len < sizeof(text)) {
        (void) ngx_cpystrn((u_char *) text, value.data, value.len + 1);

        if (ngx_strlen(text) == value.len
            && ol_addr_parse(text, &query->client.addr) == 0)
        {
            query->client.addressed = 1;
            return NGX_OK;
        }
    }

    *error = "from: not an address like 192.0.2.1 or 2001:db8::1";

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_offload_peers_locality(ngx_http_request_t *r,
    ngx_http_offload_peers_query_t *query, char **error)
{
    ngx_int_t  rc;

    rc = ngx_http_offload_peers_arg(r, "locality", &query->client.locality);

    if (rc == NGX_DECLINED) {

        /* no node's zone is like this */

        if (!ngx_http_offload_printable(&query->client.locality)) {
            query->client.locality.len = 0;
        }

        return NGX_OK;
    }

    if (rc == NGX_OK && ngx_http_offload_printable(&query->client.locality)) {
        return NGX_OK;
    }

    *error = "locality: not printable ASCII, percent-encoded";

    return NGX_ERROR;
}


/* percent-decoded; NGX_DECLINED: there is none, NGX_ERROR: malformed */

static ngx_int_t
ngx_http_offload_peers_arg(ngx_http_request_t *r, char *name,
    ngx_str_t *value)
{
    size_t      i;
    u_char     *src, *dst;
    ngx_str_t   raw;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &raw) != NGX_OK) {
        return NGX_DECLINED;
    }

    for (i = 0; i < raw.len; i++) {
        if (raw.data[i] == '%'
            && (raw.len - i < 3
                || ngx_hextoi(raw.data + i + 1, 2) == NGX_ERROR))
        {
            return NGX_ERROR;
        }
    }

    value->data = ngx_pnalloc(r->pool, raw.len + 1);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    src = raw.data;
    dst = value->data;

    ngx_unescape_uri(&dst, &src, raw.len, 0);

    value->len = dst - value->data;

    return NGX_OK;
}


static void
ngx_http_offload_peers_find(ngx_http_request_t *r,
    ngx_http_offload_peers_query_t *query, ngx_http_offload_peers_t *found)
{
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_file_t       *file;
    ngx_http_offload_name_t        name;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    ngx_memzero(&name, sizeof(ngx_http_offload_name_t));

    name.site = oscf->id;
    name.sub = query->sub;

    ngx_http_offload_name_hash(ngx_http_offload_peek(omcf->zone), &name);

    sh = ngx_http_offload_lock(omcf->zone);

    /* the path on the disk is another location's affair */

    file = ngx_http_offload_file_of(sh, &name);

    ngx_http_offload_peers_state(omcf->zone, file, found);

    if (file && file->content
        && ngx_http_offload_file_public(omcf->zone, file))
    {
        ol_hex_encode(found->root, file->content->root, OL_HASH_BYTES);
        found->size = file->ident.size;

        ngx_http_offload_selection(omcf->zone, file->content, &query->client,
                                   query->variant, &found->sel);

        ngx_http_offload_peers_copy(sh, found);
    }

    ngx_http_offload_unlock(omcf->zone);
}


static void
ngx_http_offload_peers_state(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file, ngx_http_offload_peers_t *found)
{
    if (file == NULL) {
        found->status = "unknown";
        found->why = "nobody has asked for it of late, it is not there, it is "
                     "shorter than offload_min_length or of none of the "
                     "offload_types, or not everyone may fetch it";
        return;
    }

    if (file->revoked) {
        found->status = "ineligible";
        found->why = "its last direct answer was not for everyone, or coded, "
                     "or not 200";
        return;
    }

    if (!ngx_http_offload_file_public(zone, file)) {
        found->status = "ineligible";
        found->why = "nobody has asked for it since the configuration was "
                     "loaded";
        return;
    }

    switch (file->state) {

    case NGX_HTTP_OFFLOAD_QUEUED:
        found->status = "indexing";
        found->why = "it waits to be hashed";
        return;

    case NGX_HTTP_OFFLOAD_HASHING:
        found->status = "indexing";
        found->why = "it is being hashed";
        return;

    case NGX_HTTP_OFFLOAD_FAILED:
        found->status = "failed";
        found->why = "it could not be hashed, which the error log tells more "
                     "of; it is tried again when somebody asks for it";
        return;

    case NGX_HTTP_OFFLOAD_READY:
        found->status = "ready";
        return;
    }
}


static void
ngx_http_offload_peers_copy(ngx_http_offload_sh_t *sh,
    ngx_http_offload_peers_t *found)
{
    ngx_uint_t                      i;
    ngx_http_offload_choice_t      *choice;
    ngx_http_offload_peers_node_t  *node;

    for (i = 0; i < found->sel.n; i++) {
        choice = &found->sel.candidates[i];
        node = &found->nodes[i];

        ngx_memcpy(node->coordinator,
                   sh->coordinators[choice->coordinator].kid, OL_KEY_CHARS);

        if (choice->node == NULL) {
            continue;
        }

        ngx_memcpy(node->id, choice->node->id, OL_KEY_CHARS);
        ngx_memcpy(node->url, choice->node->data, choice->node->url_len);
        ngx_memcpy(node->zone, ngx_http_offload_node_zone(choice->node),
                   choice->node->zone_len);
    }
}


static json_t *
ngx_http_offload_peers_json(ngx_http_request_t *r,
    ngx_http_offload_peers_query_t *query, ngx_http_offload_peers_t *found)
{
    char                          from[OL_ADDR_TEXT];
    json_t                       *json;
    ngx_http_offload_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    json = json_pack("{s:o, s:s%, s:b, s:I, s:I, s:o}",
                     "file", ngx_http_offload_peers_file_json(query, found),
                     "locality", query->client.locality.data
                                 ? (char *) query->client.locality.data : "",
                     query->client.locality.len,
                     "https", (int) query->client.https,
                     "variant", (json_int_t) query->variant,
                     "offload_peers", (json_int_t) olcf->peers,
                     "candidates",
                     ngx_http_offload_peers_list(found,
                                                 (ngx_uint_t) olcf->peers));

    if (json && query->client.addressed) {
        ol_addr_text(&query->client.addr, from, sizeof(from));
        (void) json_object_set_new(json, "from", json_string(from));
    }

    return json;
}


static json_t *
ngx_http_offload_peers_file_json(ngx_http_offload_peers_query_t *query,
    ngx_http_offload_peers_t *found)
{
    json_t  *json;

    json = json_pack("{s:s%, s:s}",
                     "path", query->sub.data, query->sub.len,
                     "status", found->status);

    if (json && found->why) {
        (void) json_object_set_new(json, "why", json_string(found->why));
    }

    if (json && found->root[0]) {
        (void) json_object_set_new(json, "root", json_string(found->root));
        (void) json_object_set_new(json, "size", json_integer(found->size));
    }

    return json;
}


/* in the order in which they are named, then those that are not */

static json_t *
ngx_http_offload_peers_list(ngx_http_offload_peers_t *found, ngx_uint_t max)
{
    json_t                        *list;
    ngx_uint_t                     i;
    ngx_http_offload_selection_t  *sel;

    sel = &found->sel;
    list = json_array();

    for (i = 0; i < sel->nchoices; i++) {
        (void) json_array_append_new(list,
                                     ngx_http_offload_peers_item(found,
                                                                 sel->order[i],
                                                                 max));
    }

    for (i = 0; i < sel->n; i++) {
        if (sel->candidates[i].choice < 0) {
            (void) json_array_append_new(list,
                                         ngx_http_offload_peers_item(found, i,
                                                                     max));
        }
    }

    return list;
}


static json_t *
ngx_http_offload_peers_item(ngx_http_offload_peers_t *found, ngx_uint_t i,
    ngx_uint_t max)
{
    json_t                         *json;
    ngx_uint_t                      given;
    struct ol_choice               *score;
    ngx_http_offload_choice_t      *choice;
    ngx_http_offload_peers_node_t  *node;

    choice = &found->sel.candidates[i];
    node = &found->nodes[i];

    given = choice->choice >= 0 && (ngx_uint_t) choice->choice < max;

    json = json_pack("{s:b, s:s, s:I, s:b, s:b, s:I}",
                     "given", (int) given,
                     "coordinator", node->coordinator,
                     "n", (json_int_t) choice->n,
                     "held", (int) choice->candidate.held,
                     "assigned", (int) !choice->candidate.held,
                     "age", (json_int_t) choice->candidate.age_s);

    if (json && !given) {
        (void) json_object_set_new(json, "why",
                                   ngx_http_offload_peers_why(choice));
    }

    if (json == NULL || choice->node == NULL) {
        return json;
    }

    (void) json_object_set_new(json, "id", json_string(node->id));
    (void) json_object_set_new(json, "url", json_string(node->url));
    (void) json_object_set_new(json, "zone", json_string(node->zone));
    (void) json_object_set_new(json, "near",
                               json_boolean(choice->candidate.near));
    (void) json_object_set_new(json, "local",
                               json_boolean(choice->candidate.local));
    (void) json_object_set_new(json, "failures",
                               json_real(choice->candidate.failures));

    if (choice->candidate.spare != OL_SPARE_UNKNOWN) {
        (void) json_object_set_new(json, "spare",
                                   json_integer(choice->candidate.spare));
    }

    if (choice->choice < 0) {
        return json;
    }

    score = &found->sel.choices[choice->choice];

    (void) json_object_set_new(json, "place",
                               json_integer(choice->choice + 1));
    (void) json_object_set_new(json, "tier", json_integer(score->tier));
    (void) json_object_set_new(json, "score", json_real(score->score));
    (void) json_object_set_new(json, "weight",
                               json_pack("{s:f, s:f, s:f, s:f}",
                                         "capacity", score->capacity,
                                         "freshness", score->freshness,
                                         "health", score->health,
                                         "product", score->weight));
    return json;
}


static json_t *
ngx_http_offload_peers_why(ngx_http_offload_choice_t *choice)
{
    switch (choice->fault) {

    case NGX_HTTP_OFFLOAD_NOT_HTTPS:
        return json_string("not https");

    case NGX_HTTP_OFFLOAD_SILENT:
        return json_sprintf("coordinator silent for %u s",
                            (unsigned) choice->candidate.age_s);

    case NGX_HTTP_OFFLOAD_UNKNOWN:
        return json_string("unknown node");

    default:
        return json_string("beyond offload_peers");
    }
}

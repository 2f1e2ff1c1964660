/*
 * "peers?…": the arguments of a query, whatever they are, and what is told of
 * an empty zone.  The answer is JSON; the address, the zone and the path in it
 * are what they must be.
 */
#include "ngx_http_offload_peers.c"

#include "fuzz.h"

static ngx_log_t quiet;
static ngx_http_offload_srv_conf_t srv;
static ngx_http_offload_loc_conf_t loc;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    ngx_pagesize = (ngx_uint_t)getpagesize();
    ngx_http_offload_module.ctx_index = 0;
    loc.peers = 8;
    return 0;
}

static void
asked(ngx_http_request_t *r)
{
    ngx_http_offload_peers_query_t query;
    ngx_http_offload_peers_t found = {.status = "unknown"};
    char spelled[3 * OL_SUB_MAX + 1], normal[OL_SUB_MAX + 1];
    char *text, *error = NULL;
    struct ol_error err;
    json_t *json;
    size_t len;

    if (ngx_http_offload_peers_ask(r, &query, &error) != NGX_OK) {
        MUST(error != NULL);
        return;
    }
    MUST(query.sub.len <= OL_SUB_MAX && query.sub.data[0] == '/');
    MUST(ol_subject_encode((char *)query.sub.data, query.sub.len, spelled,
                           sizeof(spelled)) >= 0);
    MUST(ol_subject_normalise(spelled, strlen(spelled), normal, sizeof(normal),
                              &len) == 0);
    MUST(len == query.sub.len && memcmp(normal, query.sub.data, len) == 0);
    MUST(query.variant < NGX_HTTP_OFFLOAD_VARIANTS);
    json = ngx_http_offload_peers_json(r, &query, &found);
    MUST(json != NULL);
    text = json_dumps(json, 0);
    MUST(text != NULL);
    json_decref(json);
    json = ol_json_parse(text, strlen(text), &err);
    MUST(json != NULL);
    json_decref(json);
    free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct sockaddr_in client = {.sin_family = AF_INET};
    static void *srvs[1] = {&srv}, *locs[1] = {&loc};
    ngx_connection_t c = {.sockaddr = (struct sockaddr *)&client,
                          .socklen = sizeof(client),
                          .log = &quiet};
    ngx_http_request_t r = {
        .connection = &c, .srv_conf = srvs, .loc_conf = locs};

    r.pool = ngx_create_pool(4096, &quiet);
    /* As in a request's buffer, something is behind it: the version. */
    r.args.data = ngx_pnalloc(r.pool, len + 1);
    memcpy(r.args.data, data, len);
    r.args.data[len] = ' ';
    r.args.len = len;
    asked(&r);
    ngx_destroy_pool(r.pool);
    return 0;
}

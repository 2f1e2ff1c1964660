/*
 * What a coordinator says: the members of syncs, one a line, applied in turn to
 * a zone of its own; then what nodes are named, and the answer.  The signature
 * around a sync is another fuzzer's (jws.c).
 */
#include "fuzz.h"

#include "offload/jws.h"

#define ZONE_BYTES (512 * 1024)
#define SYNCS_MAX 16
#define KID "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static ngx_cycle_t cycle;
static ngx_log_t quiet;
static ngx_shm_zone_t shm;
static ngx_http_offload_zone_t zone;
static ngx_http_offload_srv_conf_t conf;
static u_char address[16];

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    ngx_slab_pool_t *pool;

    ngx_pid = getpid();
    ngx_pagesize = (ngx_uint_t)getpagesize();
    for (ngx_uint_t n = ngx_pagesize; n >>= 1; ngx_pagesize_shift++)
        continue;
    ngx_cacheline_size = 64;
    ngx_time_init();
    ngx_slab_sizes_init();
    cycle.log = &quiet;
    ngx_cycle = &cycle;

    pool = aligned_alloc(ngx_pagesize, ZONE_BYTES);
    pool->end = (u_char *)pool + ZONE_BYTES;
    pool->addr = pool;
    zone.shpool = pool;
    shm.shm.addr = (u_char *)pool;
    shm.data = &zone;
    return 0;
}

static void
empty_zone(void)
{
    ngx_slab_pool_t *pool = zone.shpool;

    /* As nginx leaves it to the module, whatever was there. */
    memset(pool, 0, sizeof(*pool));
    pool->end = (u_char *)pool + ZONE_BYTES;
    pool->addr = pool;
    pool->min_shift = 3;
    MUST(ngx_shmtx_create(&pool->mutex, &pool->lock, NULL) == NGX_OK);
    MUST(ngx_http_offload_zone_init(&shm, NULL) == NGX_OK);
}

/* The epoch and the numbers that a coordinator would take from answers. */
static void
apply(ngx_http_offload_sync_t *sync, uint64_t *seq)
{
    uint64_t last;
    ngx_int_t rc;

    if (sync->has_epoch)
        memcpy(sync->epoch, ngx_http_offload_peek(&zone)->epoch,
               sizeof(sync->epoch));
    if (sync->has_base)
        sync->base = *seq;
    sync->seq = *seq + 1;
    rc = ngx_http_offload_sync_apply(&zone, &conf, KID, address, sync, &last);
    MUST(rc == NGX_OK || rc == NGX_AGAIN);
    *seq = rc == NGX_OK ? sync->seq : *seq;
    /* One that was refused has used its number all the same. */
    if (rc == NGX_AGAIN)
        ngx_http_offload_peek(&zone)->coordinators[0].seq = *seq;
}

static void
check_decoded(const ngx_http_offload_sync_t *sync)
{
    for (ngx_uint_t i = 0; i < sync->nnodes; i++) {
        MUST(sync->nodes[i].n >= 1 && sync->nodes[i].n < 1 << 24);
        MUST(sync->nodes[i].id.len == OL_KEY_CHARS);
        MUST(sync->nodes[i].url.len <= OL_URL_MAX);
        MUST(sync->nodes[i].zone.len <= OL_ZONE_MAX);
        MUST(sync->nodes[i].ncidrs <= NGX_HTTP_OFFLOAD_CIDRS);
    }
    for (ngx_uint_t i = 0; i < sync->ncontents; i++)
        MUST(sync->contents[i].count <= NGX_HTTP_OFFLOAD_CANDIDATES);
    MUST(sync->part <= sync->parts);
}

static void
one_sync(const uint8_t *text, size_t len, uint64_t *seq)
{
    ngx_pool_t *pool = ngx_create_pool(4096, &quiet);
    ngx_http_offload_sync_t sync;
    struct ol_error err;
    json_t *json = ol_json_parse((const char *)text, len, &err);

    if (json != NULL &&
        ngx_http_offload_sync_decode(json, pool, &sync, &err) == NGX_OK) {
        check_decoded(&sync);
        apply(&sync, seq);
    }
    json_decref(json);
    ngx_destroy_pool(pool);
}

/* Whom would clients be sent to?  And some of these get a number. */
static void
select_all(void)
{
    ngx_http_offload_sh_t *sh = ngx_http_offload_lock(&zone);
    ngx_http_offload_node_t *peers[OL_MANIFEST_PEERS];
    ngx_http_offload_client_t client = {.https = 0, .addressed = 1};
    ngx_http_offload_audience_t audience;

    ol_addr_parse("192.0.2.1", &client.addr);
    ngx_str_set(&client.locality, "DE");
    for (ngx_uint_t i = 0; i <= sh->mask; i++) {
        ngx_http_offload_content_t *content = sh->content_buckets[i];

        for (; content != NULL; content = content->next) {
            ngx_uint_t n = ngx_http_offload_select(&zone, content, &client, i,
                                                   peers, OL_MANIFEST_PEERS);

            MUST(n <= OL_MANIFEST_PEERS);
            ngx_http_offload_audience(sh, content, &client, 0, &audience);
            for (ngx_uint_t k = 0; k < n; k++)
                (void)ngx_http_offload_tally_add(&zone, conf.id, peers[k]->id,
                                                 OL_CONTENT_MAX, k & 1);
        }
    }
    ngx_http_offload_unlock(&zone);
}

static void
check_answer(void)
{
    static ngx_http_offload_sync_answer_t answer;
    json_t *json;
    char *text;

    ngx_http_offload_sync_collect(&zone, &conf, 0, &answer);
    json = ngx_http_offload_sync_encode(&answer, "http://127.0.0.1", KID, 0);
    MUST(json != NULL);
    text = json_dumps(json, JSON_COMPACT);
    MUST(text != NULL && strlen(text) < NGX_HTTP_OFFLOAD_BODY / 4 * 3 - 512);
    free(text);
    json_decref(json);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t *end = data + len;
    uint64_t seq = 0;

    empty_zone();
    for (int i = 0; i < SYNCS_MAX && data < end; i++) {
        const uint8_t *line = memchr(data, '\n', (size_t)(end - data));
        size_t n = (size_t)((line != NULL ? line : end) - data);

        one_sync(data, n, &seq);
        data += n + 1;
    }
    select_all();
    check_answer();
    return 0;
}

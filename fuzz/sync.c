/*
 * What coordinators of two sites say, and what happens meanwhile: syncs, and
 * between them commands of two letters and more, one a line, applied in turn to
 * a zone of its own; then what nodes are named, and the answers.  The signature
 * around a sync is another fuzzer's (jws.c).
 *
 *   {...}   the members of a sync          @c   from now on, of coordinator c
 *   +c      so many seconds go by          fcT  file c of a site holds T
 *   gc      it goes                        !c   so many others come
 *   ?c      an answer, to who      =c      c more coordinators say what the
 *           knows all but c changes        last one said
 */
#include "fuzz.h"

#include "offload/jws.h"

#define ZONE_BYTES (512 * 1024)
#define LINES_MAX 64
#define SPEAKERS 80 /* more than a zone has room for */
#define SITES 2
#define SELECTED_MAX 64
#define STALE 3 /* "seq" of a sync that comes a second time */
#define BEGIN 1790000000

static ngx_cycle_t cycle;
static ngx_log_t quiet;
static ngx_shm_zone_t shm;
static ngx_http_offload_zone_t zone;
static ngx_http_offload_srv_conf_t sites[SITES];
static ngx_time_t now;
static u_char address[16];
static unsigned speaker; /* whose syncs these are: of site speaker % SITES */
static unsigned others;  /* files that came with '!' */
static struct {
    const uint8_t *data;
    size_t len;
} last; /* sync; it is repeated with '=' */

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
    ngx_cached_time = &now;
    ngx_slab_sizes_init();
    for (unsigned i = 0; i < SITES; i++)
        memset(sites[i].id, 'a' + (int)i, NGX_HTTP_OFFLOAD_SITE_LEN);
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

static ngx_http_offload_srv_conf_t *
site(void)
{
    return &sites[speaker % SITES];
}

static char *
kid(void)
{
    static char text[OL_KEY_CHARS + 1];

    memset(text, 'A', OL_KEY_CHARS);
    text[0] = (char)('0' + speaker / 10);
    text[1] = (char)('0' + speaker % 10);
    return text;
}

/* Has each record a coordinator that was heard of lately? */
static bool
is_full(const ngx_http_offload_sh_t *sh)
{
    for (unsigned i = 0; i < NGX_HTTP_OFFLOAD_COORDINATORS; i++)
        if (!sh->coordinators[i].used ||
            sh->coordinators[i].synced + NGX_HTTP_OFFLOAD_FRESH <= now.sec)
            return false;
    return true;
}

/* The epoch and the numbers that a coordinator would take from answers. */
static void
apply(ngx_http_offload_sync_t *sync)
{
    ngx_http_offload_sh_t *sh = ngx_http_offload_peek(&zone);
    ngx_http_offload_coordinator_t *c =
        ngx_http_offload_coordinator_find(sh, (u_char *)kid(), site()->id);
    bool stale = sync->seq == STALE && c != NULL, room = c || !is_full(sh);
    uint64_t last;
    ngx_int_t rc;

    if (sync->has_epoch)
        memcpy(sync->epoch, sh->epoch, sizeof(sync->epoch));
    if (sync->has_base)
        sync->base = c != NULL ? c->applied : 0;
    sync->ack %= sh->clock + 2; /* and one that nobody was told of */
    sync->seq = (c != NULL ? c->seq : 0) + !stale;
    rc =
        ngx_http_offload_sync_apply(&zone, site(), kid(), address, sync, &last);
    MUST((rc == NGX_DECLINED) == stale);
    MUST((rc == NGX_BUSY) == !room);
    MUST(rc == NGX_OK || rc == NGX_AGAIN || stale || !room);
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
one_sync(const uint8_t *text, size_t len)
{
    ngx_pool_t *pool = ngx_create_pool(4096, &quiet);
    ngx_http_offload_sync_t sync;
    struct ol_error err;
    json_t *json = ol_json_parse((const char *)text, len, &err);

    if (json != NULL &&
        ngx_http_offload_sync_decode(json, pool, &sync, &err) == NGX_OK) {
        check_decoded(&sync);
        apply(&sync);
    }
    json_decref(json);
    ngx_destroy_pool(pool);
}

/* Another has it, or there is no room: then it is not there. */
static void
file_comes(u_char *sub, size_t sub_len, const uint8_t *text, size_t len)
{
    ngx_http_offload_sh_t *sh = ngx_http_offload_lock(&zone);
    ngx_http_offload_name_t name = {
        .site = site()->id, .sub = {sub_len, sub}, .path = {sub_len, sub}};
    ngx_http_offload_version_t version = {.size = 1,
                                          .mtime = BEGIN,
                                          .etag = ngx_string("\"1\""),
                                          .type = ngx_string("text/plain")};
    u_char table[OL_HASH_BYTES], infohash[OL_SHA1_BYTES] = {1};
    struct ol_digest digest = {.size = 1, .piece_count = 1, .table = table};
    ngx_http_offload_file_t *file;

    ol_sha256(text, len, digest.root);
    memcpy(table, digest.root, sizeof(table));
    ngx_http_offload_name_hash(sh, &name);
    file = ngx_http_offload_file_create(&zone, &name, &version);
    if (file != NULL) {
        ngx_queue_remove(&file->job);
        sh->njobs--;
        ngx_http_offload_file_state(sh, file, NGX_HTTP_OFFLOAD_HASHING);
        (void)ngx_http_offload_file_judged(&zone, file);
        if (ngx_http_offload_file_ready(&zone, file, &digest, infohash) !=
            NGX_OK)
            ngx_http_offload_file_gone(&zone, file);
    }
    ngx_http_offload_unlock(&zone);
}

static void
others_come(unsigned count)
{
    while (count-- > 0) {
        u_char sub[16];
        int len = snprintf((char *)sub, sizeof(sub), "/o%u", others++);

        file_comes(sub, (size_t)len, sub, (size_t)len);
    }
}

static void
file_goes(u_char *sub)
{
    ngx_http_offload_sh_t *sh = ngx_http_offload_lock(&zone);
    ngx_http_offload_name_t name = {
        .site = site()->id, .sub = {2, sub}, .path = {2, sub}};
    ngx_http_offload_file_t *file;

    ngx_http_offload_name_hash(sh, &name);
    file = ngx_http_offload_file_find(sh, &name);
    if (file != NULL)
        ngx_http_offload_file_gone(&zone, file);
    ngx_http_offload_unlock(&zone);
}

/* Nothing but this site's, and fit for a response's header. */
static void
answer_check(uint64_t ack)
{
    static ngx_http_offload_sync_answer_t answer;
    json_t *json;
    char *text;

    ngx_http_offload_sync_collect(&zone, site(), ack, &answer);
    MUST(answer.clock <= ngx_http_offload_peek(&zone)->clock);
    json = ngx_http_offload_sync_encode(&answer, "http://127.0.0.1", kid(), 0);
    MUST(json != NULL);
    text = json_dumps(json, JSON_COMPACT);
    MUST(text != NULL && strlen(text) < NGX_HTTP_OFFLOAD_BODY / 4 * 3 - 512);
    free(text);
    json_decref(json);
}

/* A client is sent to nodes that its site's coordinators vouch for. */
static void
peer_check(const ngx_http_offload_sh_t *sh,
           const ngx_http_offload_content_t *content,
           const ngx_http_offload_node_t *peer)
{
    const ngx_http_offload_coordinator_t *c =
        &sh->coordinators[peer->coordinator];

    MUST(peer->coordinator < NGX_HTTP_OFFLOAD_COORDINATORS && c->used);
    MUST(memcmp(c->site, content->site, NGX_HTTP_OFFLOAD_SITE_LEN) == 0);
    MUST(c->synced + NGX_HTTP_OFFLOAD_FRESH >= now.sec);
    MUST(peer->generation >= c->valid);
}

/* Whom would clients be sent to?  And some of these get a number. */
static void
select_of(ngx_http_offload_sh_t *sh, ngx_http_offload_content_t *content,
          unsigned variant)
{
    ngx_http_offload_node_t *peers[OL_MANIFEST_PEERS];
    ngx_http_offload_client_t client = {.https = variant & 1, .addressed = 1};
    ngx_http_offload_audience_t audience;
    u_char from[NGX_HTTP_OFFLOAD_SITE_LEN];
    u_char ids[OL_MANIFEST_PEERS][OL_KEY_CHARS];
    ngx_uint_t n;

    ol_addr_parse("192.0.2.1", &client.addr);
    ngx_str_set(&client.locality, "DE");
    n = ngx_http_offload_select(&zone, content, &client, variant, peers,
                                OL_MANIFEST_PEERS);
    MUST(n <= OL_MANIFEST_PEERS);
    ngx_http_offload_audience(sh, content, &client, 0, &audience);
    memcpy(from, content->site, sizeof(from));
    for (ngx_uint_t k = 0; k < n; k++) {
        MUST(!client.https || peers[k]->https);
        peer_check(sh, content, peers[k]);
        memcpy(ids[k], peers[k]->id, OL_KEY_CHARS);
    }
    /* Room for these is made by evicting others, the content perhaps. */
    for (ngx_uint_t k = 0; k < n; k++)
        (void)ngx_http_offload_tally_add(&zone, from, ids[k], OL_CONTENT_MAX,
                                         k & 1);
}

/* The numbers are those of what is there. */
static void
count_check(ngx_http_offload_sh_t *sh)
{
    ngx_uint_t contents = 0, files = 0, nodes = 0;

    for (ngx_uint_t i = 0; i <= sh->mask; i++) {
        for (ngx_http_offload_file_t *f = sh->file_buckets[i]; f; f = f->next)
            files++;
        for (ngx_http_offload_content_t *c = sh->content_buckets[i]; c;
             c = c->next)
            contents++;
    }
    for (ngx_rbtree_node_t *n = ngx_http_offload_change_after(&sh->nodes, 0);
         n != NULL; n = ngx_rbtree_next(&sh->nodes, n))
        nodes++;
    MUST(files == sh->nfiles);
    MUST(contents == sh->ncontents);
    MUST(nodes == sh->nnodes);
}

/* Of some contents; to select and to count may have others evicted. */
static void
select_all(ngx_http_offload_sh_t *sh)
{
    static struct {
        u_char site[NGX_HTTP_OFFLOAD_SITE_LEN], root[OL_HASH_BYTES];
    } keys[SELECTED_MAX];
    unsigned count = 0;

    for (ngx_uint_t i = 0; i <= sh->mask; i++)
        for (ngx_http_offload_content_t *c = sh->content_buckets[i];
             c != NULL && count < SELECTED_MAX; c = c->next) {
            if (c->candidates == NULL)
                continue;
            memcpy(keys[count].site, c->site, sizeof(keys[0].site));
            memcpy(keys[count++].root, c->root, sizeof(keys[0].root));
        }
    for (unsigned i = 0; i < count; i++) {
        ngx_http_offload_content_t *content =
            ngx_http_offload_content_find(sh, keys[i].site, keys[i].root);

        if (content != NULL)
            select_of(sh, content, i % 8);
    }
}

static void
zone_check(void)
{
    ngx_http_offload_sh_t *sh = ngx_http_offload_lock(&zone);

    count_check(sh);
    select_all(sh);
    count_check(sh);
    ngx_http_offload_unlock(&zone);
}

static void
command(const uint8_t *line, size_t len)
{
    u_char sub[2] = {'/', (u_char)('a' + line[1] % 26)};
    uint64_t clock = ngx_http_offload_peek(&zone)->clock;

    switch (line[0]) {
    case '@':
        speaker = line[1] % SPEAKERS;
        break;
    case '+':
        now.sec += line[1];
        break;
    case 'f':
        file_comes(sub, 2, line + 2, len - 2);
        break;
    case 'g':
        file_goes(sub);
        break;
    case '!':
        others_come(line[1]);
        break;
    case '?':
        answer_check(line[1] <= clock ? clock - line[1] : clock + line[1]);
        break;
    case '=':
        for (unsigned i = line[1] % SPEAKERS; i > 0 && last.data; i--) {
            speaker = (speaker + 1) % SPEAKERS;
            one_sync(last.data, last.len);
        }
        break;
    default:
        last.data = line;
        last.len = len;
        one_sync(line, len);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t *end = data + len;

    now.sec = BEGIN;
    speaker = others = 0;
    last.data = NULL;
    empty_zone();
    for (int i = 0; i < LINES_MAX && data < end; i++) {
        const uint8_t *line = memchr(data, '\n', (size_t)(end - data));
        size_t n = (size_t)((line != NULL ? line : end) - data);

        if (n >= 2)
            command(data, n);
        data += n + 1;
    }
    zone_check();
    for (speaker = 0; speaker < SITES; speaker++)
        answer_check(0);
    return 0;
}


/*
 * Receipts: made for each manifest that is given, and known again when they
 * come back, each of them once.  They are sealed with a key that was made with
 * the zone and leaves it for nobody.  Knows nothing of what a report says.
 */


#include "ngx_http_offload.h"

#include "offload/encoding.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>


/* "1.<epoch>." */

#define NGX_HTTP_OFFLOAD_RECEIPT_HEAD                                         \
    (2 + OL_BASE64URL_LEN(NGX_HTTP_OFFLOAD_EPOCH_LEN) + 1)

/* all but the peers */

#define NGX_HTTP_OFFLOAD_RECEIPT_LEN                                          \
    (NGX_HTTP_OFFLOAD_RECEIPT_HEAD + 2 * NGX_INT32_LEN + 2 + NGX_TIME_T_LEN   \
     + 1 + 1 + OL_BASE64URL_LEN(OL_RECEIPT_MAC_BYTES) + 1)


typedef struct {                             /* of this worker */
    EVP_MAC_CTX                *mac;         /* keyed */
    u_char                      key[NGX_HTTP_OFFLOAD_RECEIPT_KEY];
    u_char                      epoch[NGX_HTTP_OFFLOAD_EPOCH_LEN];
    u_char                      head[NGX_HTTP_OFFLOAD_RECEIPT_HEAD];
} ngx_http_offload_sealer_t;


static ngx_int_t ngx_http_offload_lanes_init(ngx_http_offload_zone_t *zone,
    uint64_t nspent);
static ngx_uint_t ngx_http_offload_lane(ngx_http_request_t *r,
    ngx_http_offload_receipts_t *rs);
static ngx_int_t ngx_http_offload_seal(ngx_http_request_t *r, u_char *root,
    u_char *text, size_t len, u_char *seal);
static ngx_int_t ngx_http_offload_sealer_key(ngx_http_offload_sh_t *sh);
static EVP_MAC_CTX *ngx_http_offload_sealer_create(void);


static ngx_http_offload_sealer_t  ngx_http_offload_sealer;


/* the same allocations in the same order in an empty pool */

ngx_int_t
ngx_http_offload_receipts_init(ngx_http_offload_zone_t *zone)
{
    size_t                        size;
    uint64_t                      n;
    ngx_http_offload_receipts_t  *rs;

    rs = &ngx_http_offload_peek(zone)->receipts;
    size = zone->shpool->end - (u_char *) zone->shpool;

    ngx_http_offload_random(rs->key, NGX_HTTP_OFFLOAD_RECEIPT_KEY);

    for (n = NGX_HTTP_OFFLOAD_SPENT; n / 8 > size / 64; n >>= 1) { /* void */ }

    if (ngx_http_offload_lanes_init(zone, n) != NGX_OK) {
        return NGX_ERROR;
    }

    for (n = NGX_HTTP_OFFLOAD_SEEN; n * 8 > size / 64; n >>= 1) { /* void */ }

    rs->nseen = n;
    rs->seen = ngx_slab_calloc_locked(zone->shpool, n * sizeof(uint64_t));

    if (rs->seen == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_offload_tallies_init(zone);
}


/* who asks for many manifests wears out a lane, not all of them */

static ngx_int_t
ngx_http_offload_lanes_init(ngx_http_offload_zone_t *zone, uint64_t nspent)
{
    u_char                       *bits;
    ngx_uint_t                    i;
    ngx_http_offload_receipts_t  *rs;

    rs = &ngx_http_offload_peek(zone)->receipts;

    ngx_http_offload_random((u_char *) &rs->spread, sizeof(uint64_t));
    rs->spread |= 1;

    rs->nlanes = ngx_min(nspent / NGX_HTTP_OFFLOAD_LANE, OL_RECEIPT_LANES);
    rs->lanes = ngx_slab_calloc_locked(zone->shpool, rs->nlanes
                                            * sizeof(ngx_http_offload_lane_t));

    bits = ngx_slab_calloc_locked(zone->shpool, nspent / 8);

    if (rs->lanes == NULL || bits == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < rs->nlanes; i++) {
        rs->lanes[i].spent.size = (uint32_t) (nspent / rs->nlanes);
        rs->lanes[i].spent.bits = bits + i * (nspent / rs->nlanes / 8);
    }

    return NGX_OK;
}


/*
 * root: OL_ROOT_HEX characters; exp: the manifest's; peers: the beginnings of
 * its peers' ids, joined.  Takes no lock
 */

ngx_int_t
ngx_http_offload_receipt(ngx_http_request_t *r, u_char *root, time_t exp,
    ngx_str_t *peers, ngx_str_t *value)
{
    u_char                        *p, *last;
    u_char                         seal[OL_RECEIPT_MAC_BYTES];
    uint32_t                       counter;
    ngx_uint_t                     lane;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    sh = ngx_http_offload_peek(omcf->zone);

    if (ngx_http_offload_sealer_key(sh) != NGX_OK) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(r->pool, NGX_HTTP_OFFLOAD_RECEIPT_LEN + peers->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;

    lane = ngx_http_offload_lane(r, &sh->receipts);
    counter = (uint32_t) ngx_atomic_fetch_add(&sh->receipts.lanes[lane].counter,
                                              1);

    p = ngx_cpymem(p, ngx_http_offload_sealer.head,
                   NGX_HTTP_OFFLOAD_RECEIPT_HEAD);
    p = ngx_sprintf(p, "%ui-%uD.%T.", lane, counter,
                    exp + NGX_HTTP_OFFLOAD_RECEIPT_LIFE);
    last = ngx_cpymem(p, peers->data, peers->len);

    if (ngx_http_offload_seal(r, root, value->data, last - value->data, seal)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    *last++ = '.';
    ol_base64url_encode((char *) last, seal, OL_RECEIPT_MAC_BYTES);

    value->len = last - value->data + OL_BASE64URL_LEN(OL_RECEIPT_MAC_BYTES);

    return NGX_OK;
}


/*
 * NGX_OK: made here, for that root (OL_HASH_BYTES) of this site, and not
 * expired; NGX_DECLINED: else.  Takes no lock
 */

ngx_int_t
ngx_http_offload_receipt_check(ngx_http_request_t *r,
    struct ol_receipt *receipt, u_char *root)
{
    char                           hex[OL_ROOT_HEX + 1];
    u_char                         seal[OL_RECEIPT_MAC_BYTES];
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    sh = ngx_http_offload_peek(omcf->zone);

    if (receipt->exp <= (uint64_t) ngx_time()
        || ngx_memcmp(receipt->epoch, sh->epoch, NGX_HTTP_OFFLOAD_EPOCH_LEN)
           != 0)
    {
        return NGX_DECLINED;
    }

    ol_hex_encode(hex, root, OL_HASH_BYTES);

    if (ngx_http_offload_sealer_key(sh) != NGX_OK
        || ngx_http_offload_seal(r, (u_char *) hex, (u_char *) receipt->text,
                                 receipt->sealed_len, seal)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return CRYPTO_memcmp(seal, receipt->mac, OL_RECEIPT_MAC_BYTES) == 0
           ? NGX_OK : NGX_DECLINED;
}


/*
 * Locked.  NGX_DECLINED: it was spent before, or is so old that nobody knows.
 */

ngx_int_t
ngx_http_offload_receipt_spend(ngx_http_offload_sh_t *sh,
    struct ol_receipt *receipt)
{
    ngx_http_offload_lane_t  *lane;

    if (receipt->lane >= sh->receipts.nlanes) {
        return NGX_DECLINED;
    }

    lane = &sh->receipts.lanes[receipt->lane];

    return ol_spent_add(&lane->spent, (uint32_t) lane->counter,
                        receipt->counter)
           == 0 ? NGX_OK : NGX_DECLINED;
}


/* of a client, as a number; clients at a unix socket are in one, 0 */

uint64_t
ngx_http_offload_network(ngx_http_request_t *r)
{
    uint64_t        n[2];
    struct ol_addr  addr, network;

    if (ol_addr_from_sockaddr(r->connection->sockaddr, &addr) != 0) {
        return 0;
    }

    ol_addr_network(&addr, &network);
    ngx_memcpy(n, network.bytes, sizeof(n));

    return n[0] ^ n[1];
}


/*
 * By multiplication, since this is done for each manifest: all of the network
 * is in the product's first bits
 */

static ngx_uint_t
ngx_http_offload_lane(ngx_http_request_t *r, ngx_http_offload_receipts_t *rs)
{
    return (ngx_uint_t) (ngx_http_offload_network(r) * rs->spread >> 56)
           * rs->nlanes / OL_RECEIPT_LANES;
}


/* of the site and the root that it is for, as well as of what it says */

static ngx_int_t
ngx_http_offload_seal(ngx_http_request_t *r, u_char *root, u_char *text,
    size_t len, u_char *seal)
{
    u_char                        mac[EVP_MAX_MD_SIZE];
    size_t                        n;
    EVP_MAC_CTX                  *ctx;
    ngx_http_offload_srv_conf_t  *oscf;

    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);
    ctx = ngx_http_offload_sealer.mac;

    if (EVP_MAC_init(ctx, ngx_http_offload_sealer.key,
                     NGX_HTTP_OFFLOAD_RECEIPT_KEY, NULL)
        != 1
        || EVP_MAC_update(ctx, oscf->id, NGX_HTTP_OFFLOAD_SITE_LEN) != 1
        || EVP_MAC_update(ctx, root, OL_ROOT_HEX) != 1
        || EVP_MAC_update(ctx, text, len) != 1
        || EVP_MAC_final(ctx, mac, &n, sizeof(mac)) != 1
        || n < OL_RECEIPT_MAC_BYTES)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(seal, mac, OL_RECEIPT_MAC_BYTES);

    return NGX_OK;
}


/* keyed again only if the zone was made anew, or is made just now */

static ngx_int_t
ngx_http_offload_sealer_key(ngx_http_offload_sh_t *sh)
{
    ngx_http_offload_sealer_t  *sealer;

    sealer = &ngx_http_offload_sealer;

    if (sealer->mac
        && ngx_memcmp(sealer->key, sh->receipts.key,
                      NGX_HTTP_OFFLOAD_RECEIPT_KEY)
           == 0
        && ngx_memcmp(sealer->epoch, sh->epoch, NGX_HTTP_OFFLOAD_EPOCH_LEN)
           == 0)
    {
        return NGX_OK;
    }

    if (sealer->mac == NULL) {
        sealer->mac = ngx_http_offload_sealer_create();

        if (sealer->mac == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_memcpy(sealer->key, sh->receipts.key, NGX_HTTP_OFFLOAD_RECEIPT_KEY);

    if (EVP_MAC_init(sealer->mac, sealer->key, NGX_HTTP_OFFLOAD_RECEIPT_KEY,
                     NULL)
        != 1)
    {
        EVP_MAC_CTX_free(sealer->mac);
        sealer->mac = NULL;

        return NGX_ERROR;
    }

    ngx_memcpy(sealer->epoch, sh->epoch, NGX_HTTP_OFFLOAD_EPOCH_LEN);

    ngx_memcpy(sealer->head, "1.", 2);
    ol_base64url_encode((char *) sealer->head + 2, sealer->epoch,
                        NGX_HTTP_OFFLOAD_EPOCH_LEN);
    sealer->head[NGX_HTTP_OFFLOAD_RECEIPT_HEAD - 1] = '.';

    return NGX_OK;
}


/* fetching an algorithm takes long, keying it less, using it least */

static EVP_MAC_CTX *
ngx_http_offload_sealer_create(void)
{
    EVP_MAC      *mac;
    size_t        size;
    OSSL_PARAM    params[2];
    EVP_MAC_CTX  *ctx;

    /* nobody else checks it, and HMAC-SHA256 takes three times as long */

    mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    if (mac == NULL) {
        return NULL;
    }

    ctx = EVP_MAC_CTX_new(mac);

    EVP_MAC_free(mac);

    size = OL_RECEIPT_MAC_BYTES;

    params[0] = OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size);
    params[1] = OSSL_PARAM_construct_end();

    if (ctx && EVP_MAC_CTX_set_params(ctx, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        return NULL;
    }

    return ctx;
}


/*
 * Whom to name to whom: gathers the candidates of a content from what all
 * coordinators say, keeps in the zone what tells its clients apart, and has
 * lib/selection.c put the candidates in order.  Knows nothing of requests.
 * The caller holds the lock of the zone.
 */


#include "ngx_http_offload_select.h"

#include "offload/encoding.h"


#define NGX_HTTP_OFFLOAD_NETWORKS_EVICT  16  /* manifests, for one of these */


#define ngx_http_offload_networks_size(n)                                     \
    (offsetof(ngx_http_offload_networks_t, networks)                          \
     + (n) * sizeof(((ngx_http_offload_networks_t *) NULL)->networks[0]))


typedef union {                              /* with room for all of them */
    ngx_http_offload_networks_t  networks;
    u_char
        room[ngx_http_offload_networks_size(NGX_HTTP_OFFLOAD_NETWORKS)];
} ngx_http_offload_networks_buf_t;


static void ngx_http_offload_gather(ngx_http_offload_sh_t *sh,
    ngx_http_offload_content_t *content, ngx_uint_t https,
    ngx_http_offload_selection_t *sel);
static void ngx_http_offload_gather_one(ngx_http_offload_sh_t *sh,
    ngx_http_offload_list_t *list, ngx_uint_t rank, ngx_uint_t https,
    ngx_http_offload_selection_t *sel);
static ngx_http_offload_fault_e ngx_http_offload_fault(
    ngx_http_offload_sh_t *sh, ngx_http_offload_list_t *list,
    ngx_http_offload_node_t *node, ngx_uint_t https);
static void ngx_http_offload_merge(ngx_http_offload_selection_t *sel,
    ngx_http_offload_choice_t *add);
static void ngx_http_offload_networks(ngx_http_offload_selection_t *sel,
    ngx_http_offload_networks_t *networks);
static void ngx_http_offload_networks_add(
    ngx_http_offload_networks_t *networks, struct ol_cidr *cidr,
    ngx_uint_t bit);
static void ngx_http_offload_networks_zones(ngx_http_offload_selection_t *sel,
    ngx_http_offload_networks_t *networks);
static void ngx_http_offload_networks_keep(ngx_http_offload_zone_t *zone,
    ngx_http_offload_content_t *content,
    ngx_http_offload_networks_t *networks);
static void *ngx_http_offload_networks_alloc(ngx_http_offload_zone_t *zone,
    size_t size);


/* a hash, seeded, of a zone's name in lower case; 0: none */

uint32_t
ngx_http_offload_locality(ngx_http_offload_sh_t *sh, u_char *data, size_t len)
{
    u_char    *p, text[sizeof(sh->seed) + OL_ZONE_MAX];
    uint32_t   hash;

    if (len == 0 || len > OL_ZONE_MAX) {
        return 0;
    }

    p = ngx_cpymem(text, sh->seed, sizeof(sh->seed));
    ngx_strlow(p, data, len);

    hash = ngx_murmur_hash2(text, sizeof(sh->seed) + len);

    return hash ? hash : 1;
}


/* those alike in all that is said of them here get the same peers */

void
ngx_http_offload_audience(ngx_http_offload_sh_t *sh,
    ngx_http_offload_content_t *content, ngx_http_offload_client_t *client,
    ngx_uint_t variant, ngx_http_offload_audience_t *ret)
{
    uint32_t                      locality;
    ngx_uint_t                    i;
    ngx_http_offload_networks_t  *networks;

    ngx_memzero(ret, sizeof(ngx_http_offload_audience_t));

    ret->variant = (uint8_t) variant;
    ret->https = client->https;

    networks = content->networks;

    if (networks == NULL) {
        return;
    }

    if (client->addressed) {
        for (i = 0; i < networks->nnetworks; i++) {
            if (ol_cidr_contains(&networks->networks[i].cidr, &client->addr)) {
                ret->near |= (uint32_t) 1 << networks->networks[i].bit;
            }
        }
    }

    if (client->locality.len == 0 || networks->nzones == 0) {
        return;
    }

    locality = ngx_http_offload_locality(sh, client->locality.data,
                                         client->locality.len);

    for (i = 0; i < networks->nzones; i++) {
        if (networks->zones[i] == locality) {
            ret->locality = locality;
            return;
        }
    }
}


ngx_uint_t
ngx_http_offload_has_peers(ngx_http_offload_sh_t *sh,
    ngx_http_offload_content_t *content, ngx_uint_t https)
{
    ngx_uint_t                i;
    ngx_http_offload_node_t  *node;
    ngx_http_offload_list_t  *list;

    for (list = content->candidates; list; list = list->next) {

        if (list->generation < sh->coordinators[list->coordinator].valid) {
            continue;
        }

        for (i = 0; i < list->count; i++) {
            node = ngx_http_offload_node_find(sh, list->coordinator,
                                              list->list[i] & 0xffffff);

            if (ngx_http_offload_fault(sh, list, node, https)
                == NGX_HTTP_OFFLOAD_GOOD)
            {
                return 1;
            }
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_offload_select(ngx_http_offload_zone_t *zone,
    ngx_http_offload_content_t *content, ngx_http_offload_client_t *client,
    ngx_uint_t variant, ngx_http_offload_node_t **peers, ngx_uint_t max)
{
    ngx_uint_t                    i;
    ngx_http_offload_selection_t  sel;

    ngx_http_offload_selection(zone, content, client, variant, &sel);

    for (i = 0; i < sel.nchoices && i < max; i++) {
        peers[i] = sel.candidates[sel.order[i]].node;
    }

    return i;
}


void
ngx_http_offload_selection(ngx_http_offload_zone_t *zone,
    ngx_http_offload_content_t *content, ngx_http_offload_client_t *client,
    ngx_uint_t variant, ngx_http_offload_selection_t *sel)
{
    uint8_t                           given[OL_SELECTION_MAX];
    ngx_uint_t                        i;
    struct ol_candidate               candidates[OL_SELECTION_MAX];
    ngx_http_offload_sh_t            *sh;
    ngx_http_offload_choice_t        *choice;
    ngx_http_offload_audience_t       audience;
    ngx_http_offload_networks_buf_t   buf;

    sh = ngx_http_offload_peek(zone);

    ngx_http_offload_gather(sh, content, client->https, sel);

    ngx_http_offload_networks(sel, &buf.networks);
    ngx_http_offload_networks_keep(zone, content, &buf.networks);
    ngx_http_offload_audience(sh, content, client, variant, &audience);

    sel->nchoices = 0;

    for (i = 0; i < sel->n; i++) {
        choice = &sel->candidates[i];
        choice->choice = -1;

        if (choice->node == NULL) {
            continue;
        }

        choice->candidate.near = (audience.near & choice->near) != 0;
        choice->candidate.local = audience.locality != 0
                                  && audience.locality
                                     == choice->node->locality;

        if (choice->fault == NGX_HTTP_OFFLOAD_GOOD) {
            given[sel->nchoices] = (uint8_t) i;
            candidates[sel->nchoices++] = choice->candidate;
        }
    }

    ol_select(content->root, (unsigned) variant, candidates, sel->nchoices,
              sel->choices);

    for (i = 0; i < sel->nchoices; i++) {
        sel->order[i] = given[sel->choices[i].candidate];
        sel->candidates[sel->order[i]].choice = (ngx_int_t) i;
    }
}


/* the best of each coordinator first, should there be too many */

static void
ngx_http_offload_gather(ngx_http_offload_sh_t *sh,
    ngx_http_offload_content_t *content, ngx_uint_t https,
    ngx_http_offload_selection_t *sel)
{
    ngx_uint_t                rank;
    ngx_http_offload_list_t  *list;

    sel->n = 0;

    for (rank = 0; rank < NGX_HTTP_OFFLOAD_CANDIDATES; rank++) {
        for (list = content->candidates; list; list = list->next) {

            if (rank < list->count
                && list->generation
                   >= sh->coordinators[list->coordinator].valid)
            {
                ngx_http_offload_gather_one(sh, list, rank, https, sel);
            }
        }
    }
}


static void
ngx_http_offload_gather_one(ngx_http_offload_sh_t *sh,
    ngx_http_offload_list_t *list, ngx_uint_t rank, ngx_uint_t https,
    ngx_http_offload_selection_t *sel)
{
    time_t                           age;
    ngx_http_offload_node_t         *node;
    ngx_http_offload_choice_t        add;
    ngx_http_offload_coordinator_t  *c;

    c = &sh->coordinators[list->coordinator];

    ngx_memzero(&add, sizeof(ngx_http_offload_choice_t));

    add.n = list->list[rank] & 0xffffff;
    add.coordinator = list->coordinator;

    node = ngx_http_offload_node_find(sh, list->coordinator, add.n);

    add.fault = ngx_http_offload_fault(sh, list, node, https);

    age = ngx_time() - c->synced;

    add.candidate.held = (list->list[rank] >> 24 & NGX_HTTP_OFFLOAD_HELD) != 0;
    add.candidate.age_s = (age > 0) ? (uint32_t) age : 0;
    add.candidate.spare = OL_SPARE_UNKNOWN;

    if (add.fault != NGX_HTTP_OFFLOAD_UNKNOWN) {
        add.node = node;
        add.candidate.spare = node->spare;
        add.candidate.failures = ol_failures_left(node->failures,
                                                  ngx_time() - node->failed);

        /* it was checked when it came */
        (void) ol_base64url_decode_exact(add.candidate.id, OL_KEY_BYTES,
                                         (char *) node->id, OL_KEY_CHARS);
    }

    if (add.fault == NGX_HTTP_OFFLOAD_GOOD
        || add.fault == NGX_HTTP_OFFLOAD_NOT_HTTPS)
    {
        add.records[add.nrecords++] = node;
    }

    ngx_http_offload_merge(sel, &add);
}


static ngx_http_offload_fault_e
ngx_http_offload_fault(ngx_http_offload_sh_t *sh,
    ngx_http_offload_list_t *list, ngx_http_offload_node_t *node,
    ngx_uint_t https)
{
    ngx_http_offload_coordinator_t  *c;

    c = &sh->coordinators[list->coordinator];

    if (node == NULL || node->generation < c->valid) {
        return NGX_HTTP_OFFLOAD_UNKNOWN;
    }

    if (!ngx_http_offload_within(c->synced, NGX_HTTP_OFFLOAD_FRESH)) {
        return NGX_HTTP_OFFLOAD_SILENT;
    }

    if (https && !node->https) {
        return NGX_HTTP_OFFLOAD_NOT_HTTPS;
    }

    return NGX_HTTP_OFFLOAD_GOOD;
}


/*
 * A node that two coordinators name is one candidate, on the better word: one
 * without a fault, that it holds all, the fresher one
 */

static void
ngx_http_offload_merge(ngx_http_offload_selection_t *sel,
    ngx_http_offload_choice_t *add)
{
    ngx_uint_t                  i, better;
    ngx_http_offload_choice_t  *old;

    for (i = 0; add->node && i < sel->n; i++) {
        old = &sel->candidates[i];

        if (old->node == NULL
            || ngx_memcmp(old->node->id, add->node->id, OL_KEY_CHARS) != 0)
        {
            continue;
        }

        if (old->fault != add->fault) {
            better = add->fault == NGX_HTTP_OFFLOAD_GOOD;

        } else if (old->candidate.held != add->candidate.held) {
            better = add->candidate.held;

        } else {
            better = add->candidate.age_s < old->candidate.age_s;
        }

        if (add->nrecords && old->nrecords < OL_MANIFEST_TRACKERS) {
            old->records[old->nrecords++] = add->records[0];
        }

        if (better) {
            add->nrecords = old->nrecords;
            ngx_memcpy(add->records, old->records, sizeof(old->records));

            *old = *add;
        }

        return;
    }

    if (sel->n < OL_SELECTION_MAX) {
        sel->candidates[sel->n++] = *add;
    }
}


/*
 * Zones and networks of those that may be named, as far as there is room: the
 * same for all clients, so from all that is said of a node, not from the word
 * that is best for one of them
 */

static void
ngx_http_offload_networks(ngx_http_offload_selection_t *sel,
    ngx_http_offload_networks_t *networks)
{
    ngx_uint_t                  i, k, rank, bits;
    ngx_http_offload_node_t    *node;
    ngx_http_offload_choice_t  *choice;

    ngx_memzero(networks, sizeof(ngx_http_offload_networks_buf_t));

    bits = 0;

    for (rank = 0; rank < NGX_HTTP_OFFLOAD_CIDRS; rank++) {

        /* one network of each node before a second one of any */

        for (i = 0; i < sel->n; i++) {
            choice = &sel->candidates[i];

            for (k = 0; k < choice->nrecords; k++) {
                node = choice->records[k];

                if (node->ncidrs <= rank
                    || networks->nnetworks == NGX_HTTP_OFFLOAD_NETWORKS)
                {
                    continue;
                }

                if (choice->near == 0) {
                    choice->near = (uint32_t) 1 << bits++;
                }

                ngx_http_offload_networks_add(networks,
                                     &ngx_http_offload_node_cidrs(node)[rank],
                                     ffs(choice->near) - 1);
            }
        }
    }

    ngx_http_offload_networks_zones(sel, networks);
}


static void
ngx_http_offload_networks_add(ngx_http_offload_networks_t *networks,
    struct ol_cidr *cidr, ngx_uint_t bit)
{
    ngx_uint_t  i;

    for (i = 0; i < networks->nnetworks; i++) {
        if (networks->networks[i].bit == bit
            && ngx_memcmp(&networks->networks[i].cidr, cidr,
                          sizeof(struct ol_cidr))
               == 0)
        {
            return;
        }
    }

    networks->networks[i].cidr = *cidr;
    networks->networks[i].bit = (uint8_t) bit;
    networks->nnetworks++;
}


static void
ngx_http_offload_networks_zones(ngx_http_offload_selection_t *sel,
    ngx_http_offload_networks_t *networks)
{
    uint32_t                    locality;
    ngx_uint_t                  i, k, n;
    ngx_http_offload_choice_t  *choice;

    for (i = 0; i < sel->n; i++) {
        choice = &sel->candidates[i];

        for (k = 0; k < choice->nrecords; k++) {
            locality = choice->records[k]->locality;

            if (locality == 0) {
                continue;
            }

            for (n = 0; n < networks->nzones; n++) {
                if (networks->zones[n] == locality) {
                    break;
                }
            }

            if (n == networks->nzones && n < NGX_HTTP_OFFLOAD_ZONES) {
                networks->zones[networks->nzones++] = locality;
            }
        }
    }
}


static void
ngx_http_offload_networks_keep(ngx_http_offload_zone_t *zone,
    ngx_http_offload_content_t *content,
    ngx_http_offload_networks_t *networks)
{
    size_t                        size;
    ngx_http_offload_networks_t  *old, *kept;

    old = content->networks;
    kept = NULL;
    size = ngx_http_offload_networks_size(networks->nnetworks);

    if (old && old->nnetworks == networks->nnetworks
        && ngx_memcmp(old, networks, size) == 0)
    {
        return;
    }

    if (networks->nnetworks || networks->nzones) {
        kept = ngx_http_offload_networks_alloc(zone, size);

        if (kept) {
            ngx_memcpy(kept, networks, size);
        }
    }

    if (old == kept) {
        return;
    }

    if (old) {
        ngx_http_offload_free(zone, old);
    }

    content->networks = kept;

    /* what was made for an audience is for another one now */

    content->version++;
}


/* the caller has a file in hand: nothing but what is cached makes room */

static void *
ngx_http_offload_networks_alloc(ngx_http_offload_zone_t *zone, size_t size)
{
    void                         *p;
    ngx_uint_t                    i;
    ngx_queue_t                  *q;
    ngx_http_offload_sh_t        *sh;
    ngx_http_offload_manifest_t  *manifest;

    sh = ngx_http_offload_peek(zone);

    for (i = 0; /* void */ ; i++) {

        p = ngx_slab_calloc_locked(zone->shpool, size);

        if (p || i == NGX_HTTP_OFFLOAD_NETWORKS_EVICT
            || ngx_queue_empty(&sh->manifests))
        {
            return p;
        }

        q = ngx_queue_last(&sh->manifests);
        manifest = ngx_queue_data(q, ngx_http_offload_manifest_t, queue);

        ngx_http_offload_cache_drop(zone, manifest);
    }
}

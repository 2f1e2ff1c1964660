
/*
 * What the module's files share: configuration, the context of a request, and
 * who does what.
 */


#ifndef _NGX_HTTP_OFFLOAD_H_INCLUDED_
#define _NGX_HTTP_OFFLOAD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_thread_pool.h>

#include "ngx_http_offload_zone.h"


#define NGX_HTTP_OFFLOAD_SITES        8      /* names of one site */
#define NGX_HTTP_OFFLOAD_INSTANCES    8      /* of nginx, for one site */
#define NGX_HTTP_OFFLOAD_SIGNATURES   200    /* of manifests, a second and */
                                             /* worker */
#define NGX_HTTP_OFFLOAD_TRUST        256    /* nodes in offload_trust */
#define NGX_HTTP_OFFLOAD_GENERIC      50     /* of them kept for what suits */
                                             /* every client */
#define NGX_HTTP_OFFLOAD_BODY         65536  /* the longest sync */
#define NGX_HTTP_OFFLOAD_STAY         "offload=direct"  /* in a query */
#define NGX_HTTP_OFFLOAD_PREFIX       "/.well-known/offload/"


typedef struct {
    ngx_http_offload_zone_t    *zone;
    ngx_shm_zone_t             *shm_zone;
    ngx_path_t                 *state;
    ngx_str_t                   thread_pool;
    unsigned                    measure:1;   /* "offload_above" somewhere */
    unsigned                    redirects:1;  /* some location does */
} ngx_http_offload_main_conf_t;


typedef struct {
    ngx_str_t                   url;         /* an origin, NUL-terminated */
    struct ol_key              *key;         /* public */
} ngx_http_offload_tracker_t;


typedef struct {
    ngx_array_t                *keys;        /* of struct ol_key * */
    ngx_array_t                *sites;       /* of ngx_str_t, likewise */
    ngx_array_t                *coordinators;  /* of ..._tracker_t */
    ngx_array_t                *instances;   /* of ngx_str_t: where each */
                                             /* nginx takes syncs */

    ngx_str_t                   iss;         /* the first of the sites */
    u_char                      id[NGX_HTTP_OFFLOAD_SITE_LEN];
    ngx_str_t                   jwks;
    size_t                      node_rate;   /* bytes a second; 0: any */
    unsigned                    https:1;

    /* of this worker */
    ngx_str_t                   statement;   /* what "site" answers */
    time_t                      stated;
} ngx_http_offload_srv_conf_t;


typedef struct {
    ngx_str_t                   id;          /* of a node */
    ngx_str_t                   url;         /* empty: wherever it is */
} ngx_http_offload_trusted_t;


typedef struct {
    ngx_flag_t                  enable;
    ngx_hash_t                  types;
    ngx_array_t                *types_keys;
    off_t                       min_length;
    ngx_int_t                   peers;
    time_t                      ttl;
    time_t                      stale;       /* of manifests without peers */
    ngx_array_t                *bypass;      /* predicates */
    size_t                      above;       /* bytes a second; 0: always */
    ngx_flag_t                  redirect;
    ngx_array_t                *trust;       /* of ..._trusted_t */
    uint64_t                    trusted;     /* a hash of these */
    ngx_http_complex_value_t   *locality;
    ngx_flag_t                  links;
    ngx_flag_t                  sri;

    void                      **all;         /* modules' configurations, */
    void                      **outer;       /* and those around them */

    ngx_str_t                   file;        /* where "offload" is written, */
    ngx_uint_t                  line;        /* or "offload_endpoint" */
    unsigned                    endpoint:1;
    unsigned                    open:1;      /* "status" and the like, too */

    /* of this worker */
    unsigned                    judged:1;    /* "guarded" is known: */
    unsigned                    guarded:1;   /* not everyone gets past it */
    ngx_msec_t                  measured;    /* when "above" was last judged */
    unsigned                    busy:1;      /* egress was above */
} ngx_http_offload_loc_conf_t;


typedef enum {
    NGX_HTTP_OFFLOAD_WANT_FILE = 0,
    NGX_HTTP_OFFLOAD_WANT_DIRECT,            /* Offload-Fetch: direct */
    NGX_HTTP_OFFLOAD_WANT_BYPASS,            /* offload_bypass says so */
    NGX_HTTP_OFFLOAD_WANT_PEERS,             /* Accept */
    NGX_HTTP_OFFLOAD_WANT_MANIFEST           /* Offload-Fetch: manifest */
} ngx_http_offload_want_e;


typedef enum {
    NGX_HTTP_OFFLOAD_NO_FORMAT = 0,
    NGX_HTTP_OFFLOAD_FORMAT_OFFLOAD,         /* .offload: a manifest */
    NGX_HTTP_OFFLOAD_FORMAT_META4,
    NGX_HTTP_OFFLOAD_FORMAT_TORRENT,
    NGX_HTTP_OFFLOAD_FORMAT_SHA256
} ngx_http_offload_format_e;


typedef struct {
    ngx_http_offload_name_t     name;
    ngx_http_offload_client_t   client;
    ngx_http_offload_want_e     want;
    ngx_http_offload_format_e   format;
    ngx_http_offload_outcome_e  outcome;
    off_t                       size;        /* of the file behind a */
    time_t                      mtime;       /* manifest */
    time_t                      exp;         /* of the manifest */
    ngx_str_t                   peers;       /* in it, as a receipt says */
    char                        root[OL_ROOT_HEX + 1];
    char                        peer[OL_KEY_CHARS + 1];  /* redirected to */
    unsigned                    rooted:1;    /* root is known */
    unsigned                    manifest:1;  /* the answer is a manifest, */
                                             /* or else not the file */
    unsigned                    cliented:1;  /* client is known */
    unsigned                    idle:1;      /* no help is asked for */
    unsigned                    shared:1;    /* not this request's own */
    unsigned                    unjudged:1;  /* the file, before this answer */
    unsigned                    placed:1;    /* asked for by its root */
    unsigned                    learned:1;   /* of the file by this answer */
    unsigned                    verifies:1;  /* will verify what a node gives */
} ngx_http_offload_ctx_t;


extern ngx_module_t  ngx_http_offload_module;
extern ngx_module_t  ngx_http_offload_filter_module;


/* ngx_http_offload_conf.c: what directives check and default to */

char *ngx_http_offload_set_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_offload_set_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_offload_set_site(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_offload_set_sync(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_offload_set_coordinator(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_offload_parse_origin(ngx_conf_t *cf, ngx_str_t *url,
    ngx_str_t *ret, ngx_uint_t foreign);
char *ngx_http_offload_merge_site(ngx_conf_t *cf,
    ngx_http_offload_srv_conf_t *conf);
char *ngx_http_offload_check_enabled(ngx_conf_t *cf,
    ngx_http_offload_loc_conf_t *conf);

/* ngx_http_offload_trust.c: nodes that may serve who does not verify */

char *ngx_http_offload_set_trust(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_uint_t ngx_http_offload_trusts(ngx_http_offload_loc_conf_t *olcf,
    ngx_http_offload_node_t *node);

/* ngx_http_offload_handler.c: the content phase */

ngx_int_t ngx_http_offload_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_offload_manifest(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_str_t *text);
ngx_int_t ngx_http_offload_give(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_str_t *text);
void ngx_http_offload_count(ngx_http_request_t *r,
    ngx_http_offload_outcome_e outcome);

/* ngx_http_offload_locate.c: from a request to the file it is about */

ngx_uint_t ngx_http_offload_public(ngx_http_request_t *r);
ngx_http_offload_ctx_t *ngx_http_offload_ctx_create(ngx_http_request_t *r,
    ngx_http_offload_want_e want);
ngx_http_offload_ctx_t *ngx_http_offload_ctx_named(ngx_http_request_t *r,
    ngx_http_offload_want_e want, ngx_str_t *sub);
ngx_int_t ngx_http_offload_subject(ngx_http_request_t *r, ngx_str_t *sub);
ngx_int_t ngx_http_offload_client(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx);
ngx_http_offload_file_t *ngx_http_offload_locate(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx);
void ngx_http_offload_found(ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_file_t *file);
void ngx_http_offload_open_info(ngx_http_request_t *r,
    ngx_open_file_info_t *of);
void ngx_http_offload_replaced(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, uint64_t serial);

/* ngx_http_offload_guard.c: what stands before a file */

void ngx_http_offload_guard_merge(ngx_conf_t *cf,
    ngx_http_offload_loc_conf_t *prev, ngx_http_offload_loc_conf_t *conf);
void ngx_http_offload_guard_init(ngx_conf_t *cf);
ngx_uint_t ngx_http_offload_guarded(ngx_http_request_t *r);
ngx_uint_t ngx_http_offload_credentials(ngx_http_request_t *r);

/* ngx_http_offload_rules.c: what rewrite rules make of others' requests */

ngx_uint_t ngx_http_offload_rules(ngx_http_request_t *r, void **loc_conf,
    ngx_array_t *codes);

/* ngx_http_offload_negotiate.c: what a request asks for */

ngx_http_offload_want_e ngx_http_offload_want(ngx_http_request_t *r,
    ngx_str_t *node);
ngx_uint_t ngx_http_offload_has_token(ngx_str_t *value, char *token,
    size_t len);
ngx_uint_t ngx_http_offload_printable(ngx_str_t *text);

/* ngx_http_offload_manifest.c: signs manifests and keeps them in the zone */

ngx_uint_t ngx_http_offload_manifest_budget(void);
ngx_uint_t ngx_http_offload_manifest_left(void);
ngx_int_t ngx_http_offload_manifest_sign(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_uint_t variant, ngx_str_t *text);
void ngx_http_offload_manifest_audience(ngx_http_offload_sh_t *sh,
    ngx_http_offload_content_t *content, ngx_http_offload_client_t *client,
    ngx_uint_t variant, ngx_http_offload_audience_t *audience);

/* ngx_http_offload_receipt.c: gives receipts, and knows them again */

ngx_int_t ngx_http_offload_receipt(ngx_http_request_t *r, u_char *root,
    time_t exp, ngx_str_t *peers, ngx_str_t *value);
ngx_int_t ngx_http_offload_receipt_check(ngx_http_request_t *r,
    struct ol_receipt *receipt, u_char *root);
uint64_t ngx_http_offload_network(ngx_http_request_t *r);

/* versions of files are liboffload's */

#define ngx_http_offload_ident       ol_version_of
#define ngx_http_offload_ident_same  ol_version_same

/* ngx_http_offload_report.c: has receipts spent */

ngx_int_t ngx_http_offload_report(ngx_http_request_t *r);

/* ngx_http_offload_body.c: a request's body in one piece */

ngx_int_t ngx_http_offload_body(ngx_http_request_t *r, size_t max,
    ngx_str_t *body);

/* ngx_http_offload_index.c: has files hashed in the thread pool */

ngx_int_t ngx_http_offload_index_init(ngx_cycle_t *cycle);
void ngx_http_offload_index_exit(ngx_cycle_t *cycle);
void ngx_http_offload_index_kick(ngx_http_offload_main_conf_t *omcf);
void ngx_http_offload_index_again(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file);

/* ngx_http_offload_ticket.c: tickets of contents */

ngx_int_t ngx_http_offload_content_ticket(ngx_http_request_t *r, u_char *root,
    u_char *query);

/* ngx_http_offload_links.c: Link, Digest, Repr-Digest; whom they name */

ngx_int_t ngx_http_offload_links(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx);

/* ngx_http_offload_redirect.c: sends a request on to a holder */

ngx_int_t ngx_http_offload_redirect(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx);

/* ngx_http_offload_sri.c: signatures that browsers verify */

ngx_uint_t ngx_http_offload_sri_asked(ngx_http_request_t *r);
ngx_uint_t ngx_http_offload_sri_file(ngx_http_offload_file_t *file);
ngx_int_t ngx_http_offload_sri(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx);
ngx_int_t ngx_http_offload_sri_open(ngx_http_request_t *r);
ngx_int_t ngx_http_offload_sri_manifest(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, u_char *root, struct ol_manifest *m);

/* ngx_http_offload_format.c: a content as a .meta4 and the like */

ngx_http_offload_format_e ngx_http_offload_format_of(ngx_str_t *name,
    size_t *len);
ngx_int_t ngx_http_offload_format(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx);
ngx_int_t ngx_http_offload_format_place(ngx_http_request_t *r);

/* ngx_http_offload_suffix.c: the same on the file's own URL */

ngx_int_t ngx_http_offload_suffix(ngx_http_request_t *r);
ngx_int_t ngx_http_offload_suffix_at(ngx_http_request_t *r);
ngx_int_t ngx_http_offload_suffixed(ngx_http_request_t *r);

/* ngx_http_offload_endpoint.c: /.well-known/offload/ */

char *ngx_http_offload_set_endpoint(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_offload_send(ngx_http_request_t *r, ngx_uint_t status,
    char *type, u_char *data, size_t len);
ngx_int_t ngx_http_offload_open_table(ngx_http_request_t *r, ngx_str_t *hex,
    ngx_str_t *name, ngx_open_file_info_t *of);
void ngx_http_offload_lost(ngx_http_request_t *r, u_char *site, u_char *root);
ngx_int_t ngx_http_offload_refuse(ngx_http_request_t *r, ngx_uint_t status,
    char *text, uint64_t *seq);

/* ngx_http_offload_status.c: the numbers, for the machine's own users */

typedef struct {                             /* of the configuration */
    ngx_str_t                   site;
    ngx_str_t                   url;
    char                       *id;
    ngx_http_offload_coordinator_t
                                record;      /* not used: never heard from */
} ngx_http_offload_known_t;

typedef struct {
    uint64_t                    outcomes[NGX_HTTP_OFFLOAD_OUTCOMES];
    uint64_t                    states[NGX_HTTP_OFFLOAD_STATES];
    uint64_t                    files;
    uint64_t                    contents;
    uint64_t                    nodes;
    uint64_t                    direct;      /* bytes */
    uint64_t                    pulled;
    uint64_t                    offloaded;
    uint64_t                    confirmed;
    uint64_t                    accepted;    /* reports */
    uint64_t                    refused;
    uint64_t                    deferred;
    uint64_t                    signatures;
    uint64_t                    hashed;
    uint64_t                    zone_size;
    uint64_t                    zone_free;
    uint64_t                    evictions;
    uint64_t                    egress;      /* bytes a second */
    unsigned                    measured:1;  /* it is */
    ngx_array_t                 coordinators;  /* of ..._known_t */
} ngx_http_offload_numbers_t;

ngx_int_t ngx_http_offload_status(ngx_http_request_t *r);
ngx_uint_t ngx_http_offload_local(ngx_http_request_t *r);
ngx_int_t ngx_http_offload_numbers(ngx_http_request_t *r,
    ngx_http_offload_numbers_t *n);

/* ngx_http_offload_metrics.c: the same, as Prometheus wants them */

ngx_int_t ngx_http_offload_metrics(ngx_http_request_t *r);

/* ngx_http_offload_peers.c: whom a client would be sent to, and why */

ngx_int_t ngx_http_offload_peers_explain(ngx_http_request_t *r);

/* ngx_http_offload_filter.c: an answer that is not for everyone */

void ngx_http_offload_revoke(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx);

/* ngx_http_offload_header.c: lines of a header */

ngx_table_elt_t *ngx_http_offload_next_header(ngx_list_part_t **part,
    ngx_uint_t *i);
ngx_table_elt_t *ngx_http_offload_push_header(ngx_http_request_t *r,
    ngx_str_t *key, ngx_str_t *value);
ngx_int_t ngx_http_offload_add_header(ngx_http_request_t *r, ngx_str_t *key,
    ngx_str_t *value);
ngx_int_t ngx_http_offload_header(ngx_http_request_t *r, char *key,
    char *value);

/* ngx_http_offload_fix.c: those of an answer in the file's place */

ngx_int_t ngx_http_offload_fix(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx);

/* ngx_http_offload_altered.c: other modules' changes to a body */

void ngx_http_offload_altered_init(void);

/* ngx_http_offload_traffic.c: what goes out, and what may */

ngx_int_t ngx_http_offload_traffic_init(ngx_conf_t *cf);
void ngx_http_offload_traffic_filter(void);
uint64_t ngx_http_offload_egress(ngx_http_offload_sh_t *sh);

/* whether help is asked for */
ngx_uint_t ngx_http_offload_busy(ngx_http_request_t *r);

/* a manifest or a redirect for so many bytes was given */
void ngx_http_offload_offered(ngx_http_request_t *r, off_t bytes);

/* Offload-Fetch: direct with Offload-Node: NGX_OK, or a status to answer */
ngx_int_t ngx_http_offload_node_budget(ngx_http_request_t *r, ngx_str_t *id);

/* ngx_http_offload_sync.c: what coordinators send, what they are told */

ngx_int_t ngx_http_offload_sync(ngx_http_request_t *r);

/* ngx_http_offload_vars.c: $offload_status, $offload_root */

extern ngx_str_t  ngx_http_offload_outcomes[];

ngx_int_t ngx_http_offload_add_variables(ngx_conf_t *cf);


#endif /* _NGX_HTTP_OFFLOAD_H_INCLUDED_ */

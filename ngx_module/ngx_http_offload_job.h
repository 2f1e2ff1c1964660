
/*
 * A file on its way through the thread pool, and what threads do there.
 */


#ifndef _NGX_HTTP_OFFLOAD_JOB_H_INCLUDED_
#define _NGX_HTTP_OFFLOAD_JOB_H_INCLUDED_


#include "ngx_http_offload.h"


typedef struct {
    ngx_http_offload_main_conf_t  *omcf;
    ngx_http_offload_name_t        name;
    u_char                         site[NGX_HTTP_OFFLOAD_SITE_LEN];
    uint64_t                       serial;
    ngx_http_offload_ident_t       seen;     /* size and mtime, by a filter */
    ngx_http_offload_ident_t       ident;

    ngx_pool_t                    *pool;
    ngx_fd_t                       fd;
    off_t                          offset;
    struct ol_hasher              *hasher;
    struct ol_digest               digest;
    u_char                        *buf;

    time_t                         now;      /* when the slice was posted */
    ngx_int_t                      rc;       /* what the slice came to */
    struct ol_error                error;    /* if failed */
    u_char                         infohash[OL_SHA1_BYTES];
    unsigned                       hashed:1;
    unsigned                       failed:1;
    unsigned                       unsaved:1;  /* the state folder failed */
    unsigned                       torrent:1;  /* it has an infohash */
    unsigned                       renice:1;
} ngx_http_offload_job_t;


/* ngx_http_offload_hash.c: what a thread does */

void ngx_http_offload_slice(void *data, ngx_log_t *log);
ngx_uint_t ngx_http_offload_may_renice(ngx_http_offload_main_conf_t *omcf);
int ngx_http_offload_nicer(ngx_uint_t renice);
void ngx_http_offload_nice_again(int nice);

/* ngx_http_offload_state.c: has the state folder cleared up */

void ngx_http_offload_state_init(ngx_cycle_t *cycle,
    ngx_http_offload_main_conf_t *omcf);
void ngx_http_offload_state_exit(void);


#endif /* _NGX_HTTP_OFFLOAD_JOB_H_INCLUDED_ */

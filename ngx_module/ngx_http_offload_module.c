
/*
 * The directives, their places and defaults, and where the module hooks into
 * nginx.  What a directive checks beyond that is in ngx_http_offload_conf.c.
 */


#include "ngx_http_offload.h"

#if !(NGX_THREADS)
#error "the offload module hashes in threads: configure nginx --with-threads"
#endif

#ifndef NGX_HTTP_OFFLOAD_STATE_PATH
#define NGX_HTTP_OFFLOAD_STATE_PATH  "offload_state"
#endif


static void *ngx_http_offload_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_offload_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_offload_create_srv_conf(ngx_conf_t *cf);
static char *ngx_http_offload_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void *ngx_http_offload_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_offload_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void ngx_http_offload_endpoint_body(ngx_conf_t *cf);
static char *ngx_http_offload_set_enable(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_offload_check_min_length(ngx_conf_t *cf, void *post,
    void *data);
static char *ngx_http_offload_check_ttl(ngx_conf_t *cf, void *post,
    void *data);
static char *ngx_http_offload_check_stale(ngx_conf_t *cf, void *post,
    void *data);
static char *ngx_http_offload_check_above(ngx_conf_t *cf, void *post,
    void *data);
static ngx_int_t ngx_http_offload_init(ngx_conf_t *cf);


static ngx_conf_num_bounds_t  ngx_http_offload_peers_bounds = {
    ngx_conf_check_num_bounds, 1, OL_MANIFEST_PEERS
};

static ngx_conf_post_t  ngx_http_offload_min_length_post = {
    ngx_http_offload_check_min_length
};

static ngx_conf_post_t  ngx_http_offload_ttl_post = {
    ngx_http_offload_check_ttl
};

static ngx_conf_post_t  ngx_http_offload_stale_post = {
    ngx_http_offload_check_stale
};

static ngx_conf_post_t  ngx_http_offload_above_post = {
    ngx_http_offload_check_above
};

static ngx_path_init_t  ngx_http_offload_state_path = {
    ngx_string(NGX_HTTP_OFFLOAD_STATE_PATH), { 0, 0, 0 }
};


static ngx_command_t  ngx_http_offload_commands[] = {

    { ngx_string("offload"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_offload_set_enable,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_offload_loc_conf_t, enable),
      NULL },

    { ngx_string("offload_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_offload_set_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("offload_state"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_path_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_offload_main_conf_t, state),
      NULL },

    { ngx_string("offload_thread_pool"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_offload_main_conf_t, thread_pool),
      NULL },

    { ngx_string("offload_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_http_offload_set_key,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("offload_site"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_http_offload_set_site,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("offload_sync"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_http_offload_set_sync,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("offload_coordinator"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE2,
      ngx_http_offload_set_coordinator,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("offload_node_rate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_http_offload_srv_conf_t, node_rate),
      NULL },

    { ngx_string("offload_endpoint"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_offload_set_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("offload_types"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_types_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_offload_loc_conf_t, types_keys),
      NULL },

    { ngx_string("offload_min_length"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_off_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_offload_loc_conf_t, min_length),
      &ngx_http_offload_min_length_post },

    { ngx_string("offload_peers"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_offload_loc_conf_t, peers),
      &ngx_http_offload_peers_bounds },

    { ngx_string("offload_ttl"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_offload_loc_conf_t, ttl),
      &ngx_http_offload_ttl_post },

    { ngx_string("offload_stale"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_offload_loc_conf_t, stale),
      &ngx_http_offload_stale_post },

    { ngx_string("offload_bypass"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_set_predicate_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_offload_loc_conf_t, bypass),
      NULL },

    { ngx_string("offload_above"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_offload_loc_conf_t, above),
      &ngx_http_offload_above_post },

    { ngx_string("offload_redirect"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_offload_loc_conf_t, redirect),
      NULL },

    { ngx_string("offload_trust"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_offload_set_trust,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("offload_locality"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_offload_loc_conf_t, locality),
      NULL },

    { ngx_string("offload_links"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_offload_loc_conf_t, links),
      NULL },

    { ngx_string("offload_sri"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_offload_loc_conf_t, sri),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_offload_module_ctx = {
    ngx_http_offload_add_variables,        /* preconfiguration */
    ngx_http_offload_init,                 /* postconfiguration */

    ngx_http_offload_create_main_conf,     /* create main configuration */
    ngx_http_offload_init_main_conf,       /* init main configuration */

    ngx_http_offload_create_srv_conf,      /* create server configuration */
    ngx_http_offload_merge_srv_conf,       /* merge server configuration */

    ngx_http_offload_create_loc_conf,      /* create location configuration */
    ngx_http_offload_merge_loc_conf        /* merge location configuration */
};


ngx_module_t  ngx_http_offload_module = {
    NGX_MODULE_V1,
    &ngx_http_offload_module_ctx,          /* module context */
    ngx_http_offload_commands,             /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_offload_index_init,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_offload_index_exit,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_offload_create_main_conf(ngx_conf_t *cf)
{
    /*
     * set by ngx_pcalloc():
     *
     *     conf->zone = NULL;
     *     conf->shm_zone = NULL;
     *     conf->state = NULL;
     *     conf->thread_pool = { 0, NULL };
     *     conf->measure = 0;
     */

    return ngx_pcalloc(cf->pool, sizeof(ngx_http_offload_main_conf_t));
}


static char *
ngx_http_offload_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_offload_main_conf_t  *omcf = conf;

    if (omcf->zone == NULL) {
        return NGX_CONF_OK;
    }

    if (omcf->thread_pool.len == 0) {
        ngx_str_set(&omcf->thread_pool, "default");
    }

    if (ngx_thread_pool_add(cf, &omcf->thread_pool) == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_conf_merge_path_value(cf, &omcf->state, NULL,
                                     &ngx_http_offload_state_path);
}


static void *
ngx_http_offload_create_srv_conf(ngx_conf_t *cf)
{
    ngx_http_offload_srv_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_offload_srv_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->iss = { 0, NULL };
     *     conf->id = { 0 };
     *     conf->jwks = { 0, NULL };
     *     conf->https = 0;
     *     conf->statement = { 0, NULL };
     *     conf->stated = 0;
     */

    conf->keys = NGX_CONF_UNSET_PTR;
    conf->sites = NGX_CONF_UNSET_PTR;
    conf->coordinators = NGX_CONF_UNSET_PTR;
    conf->instances = NGX_CONF_UNSET_PTR;
    conf->node_rate = NGX_CONF_UNSET_SIZE;

    return conf;
}


static char *
ngx_http_offload_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_offload_srv_conf_t  *prev = parent;
    ngx_http_offload_srv_conf_t  *conf = child;

    ngx_conf_merge_ptr_value(conf->keys, prev->keys, NULL);
    ngx_conf_merge_ptr_value(conf->sites, prev->sites, NULL);
    ngx_conf_merge_ptr_value(conf->coordinators, prev->coordinators, NULL);
    ngx_conf_merge_ptr_value(conf->instances, prev->instances, NULL);
    ngx_conf_merge_size_value(conf->node_rate, prev->node_rate, 0);

    return ngx_http_offload_merge_site(cf, conf);
}


static void *
ngx_http_offload_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_offload_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_offload_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->types = { NULL };
     *     conf->types_keys = NULL;
     *     conf->file = { 0, NULL };
     *     conf->line = 0;
     *     conf->endpoint = 0;
     *     conf->open = 0;
     *     conf->measured = 0;
     *     conf->busy = 0;
     */

    conf->enable = NGX_CONF_UNSET;
    conf->min_length = NGX_CONF_UNSET;
    conf->peers = NGX_CONF_UNSET;
    conf->ttl = NGX_CONF_UNSET;
    conf->stale = NGX_CONF_UNSET;
    conf->bypass = NGX_CONF_UNSET_PTR;
    conf->above = NGX_CONF_UNSET_SIZE;
    conf->redirect = NGX_CONF_UNSET;
    conf->trust = NGX_CONF_UNSET_PTR;
    conf->locality = NGX_CONF_UNSET_PTR;
    conf->links = NGX_CONF_UNSET;
    conf->sri = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_offload_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_offload_loc_conf_t  *prev = parent;
    ngx_http_offload_loc_conf_t  *conf = child;

    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_offload_module);

    if (conf->enable == NGX_CONF_UNSET && !conf->endpoint) {
        conf->file = prev->file;
        conf->line = prev->line;
    }

    ngx_http_offload_guard_merge(cf, prev, conf);

    ngx_conf_merge_value(conf->enable, prev->enable, 0);
    ngx_conf_merge_off_value(conf->min_length, prev->min_length, 256 * 1024);
    ngx_conf_merge_value(conf->peers, prev->peers, 8);
    ngx_conf_merge_sec_value(conf->ttl, prev->ttl, 60);

    /* not set anywhere: as "offload_ttl", whichever applies here */

    if (conf->stale == NGX_CONF_UNSET) {
        conf->stale = prev->stale;
    }

    ngx_conf_merge_ptr_value(conf->bypass, prev->bypass, NULL);
    ngx_conf_merge_size_value(conf->above, prev->above, 0);
    ngx_conf_merge_value(conf->redirect, prev->redirect, 0);

    if (conf->redirect) {
        omcf->redirects = 1;
    }


    if (conf->trust == NGX_CONF_UNSET_PTR) {
        conf->trusted = prev->trusted;
    }

    ngx_conf_merge_ptr_value(conf->trust, prev->trust, NULL);
    ngx_conf_merge_ptr_value(conf->locality, prev->locality, NULL);
    ngx_conf_merge_value(conf->links, prev->links, 1);
    ngx_conf_merge_value(conf->sri, prev->sri, 0);

    /* all types, unless some are named */

    if (conf->types_keys == NULL && prev->types_keys == NULL
        && prev->types.buckets == NULL)
    {
        prev->types_keys = (void *) -1;
    }

    if (ngx_http_merge_types(cf, &conf->types_keys, &conf->types,
                             &prev->types_keys, &prev->types, NULL)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->endpoint) {
        ngx_http_offload_endpoint_body(cf);
    }

    return ngx_http_offload_check_enabled(cf, conf);
}


/* a sync fits into memory; the core module's directives are merged already */

static void
ngx_http_offload_endpoint_body(ngx_conf_t *cf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->client_body_buffer_size < NGX_HTTP_OFFLOAD_BODY) {
        clcf->client_body_buffer_size = NGX_HTTP_OFFLOAD_BODY;
    }

    if (clcf->client_max_body_size
        && clcf->client_max_body_size < NGX_HTTP_OFFLOAD_BODY)
    {
        clcf->client_max_body_size = NGX_HTTP_OFFLOAD_BODY;
    }
}


static char *
ngx_http_offload_set_enable(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_offload_loc_conf_t  *olcf = conf;

    olcf->file = cf->conf_file->file.name;
    olcf->line = cf->conf_file->line;

    return ngx_conf_set_flag_slot(cf, cmd, conf);
}


static char *
ngx_http_offload_check_min_length(ngx_conf_t *cf, void *post, void *data)
{
    off_t  *value = data;

    if (*value < 1) {
        return "must be at least 1";
    }

    return NGX_CONF_OK;
}


/* tickets in a manifest are good for ten minutes at least */

static char *
ngx_http_offload_check_ttl(ngx_conf_t *cf, void *post, void *data)
{
    time_t  *value = data;

    if (*value < 2 || *value > 600) {
        return "must be between 2 seconds and 10 minutes";
    }

    return NGX_CONF_OK;
}


/* nobody is named in it, so it may outlive tickets */

static char *
ngx_http_offload_check_stale(ngx_conf_t *cf, void *post, void *data)
{
    time_t  *value = data;

    if (*value < 2 || *value > 86400) {
        return "must be between 2 seconds and one day";
    }

    return NGX_CONF_OK;
}


/* what goes out is counted only if somebody wants to know */

static char *
ngx_http_offload_check_above(ngx_conf_t *cf, void *post, void *data)
{
    size_t  *value = data;

    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_offload_module);

    if (*value) {
        omcf->measure = 1;
    }

    return NGX_CONF_OK;
}


/* pushed last, run first: before the static module and the like */

static ngx_int_t
ngx_http_offload_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt           *h;
    ngx_http_core_main_conf_t     *cmcf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_offload_module);

    if (omcf->zone == NULL) {
        return NGX_OK;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_CONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_offload_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_offload_suffix;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_offload_suffix_at;

    return ngx_http_offload_traffic_init(cf);
}

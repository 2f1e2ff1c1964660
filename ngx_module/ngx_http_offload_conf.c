
/*
 * Directives that check more than their form: the zone's size, the keys and
 * their files, the names of the site, the coordinators; what a server is called
 * if nobody says so; and whether all is there that others need.
 */


#include "ngx_http_offload.h"

#include "offload/origin.h"


static void ngx_http_offload_free_key(void *data);
static ngx_int_t ngx_http_offload_keep_key(ngx_conf_t *cf,
    struct ol_key *key);
static char *ngx_http_offload_set_origins(ngx_conf_t *cf,
    ngx_array_t **origins, ngx_uint_t foreign);
static char *ngx_http_offload_default_site(ngx_conf_t *cf,
    ngx_http_offload_srv_conf_t *conf);
static char *ngx_http_offload_copy_origin(ngx_conf_t *cf,
    struct ol_origin *origin, ngx_str_t *ret);
static ngx_http_listen_opt_t *ngx_http_offload_listen(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);


char *
ngx_http_offload_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_offload_main_conf_t  *omcf = conf;

    ssize_t    size;
    ngx_str_t  name, *value;

    if (omcf->zone) {
        return "is duplicate";
    }

    value = cf->args->elts;

    size = ngx_parse_size(&value[1]);
    if (size == NGX_ERROR) {
        return "invalid value";
    }

    if (size < NGX_HTTP_OFFLOAD_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"offload_zone %V\" is too small: "
                           "it must be at least 256k", &value[1]);
        return NGX_CONF_ERROR;
    }

    omcf->zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_offload_zone_t));
    if (omcf->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&name, "offload");

    omcf->shm_zone = ngx_shared_memory_add(cf, &name, size,
                                           &ngx_http_offload_module);
    if (omcf->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    omcf->shm_zone->init = ngx_http_offload_zone_init;
    omcf->shm_zone->data = omcf->zone;

    return NGX_CONF_OK;
}


static void
ngx_http_offload_free_key(void *data)
{
    ol_key_free(data);
}


/* until the cycle's end */

static ngx_int_t
ngx_http_offload_keep_key(ngx_conf_t *cf, struct ol_key *key)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ol_key_free(key);
        return NGX_ERROR;
    }

    cln->handler = ngx_http_offload_free_key;
    cln->data = key;

    return NGX_OK;
}


/* read here, by the master, so that the workers need not be able to */

char *
ngx_http_offload_set_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_offload_srv_conf_t  *oscf = conf;

    ngx_str_t         path, *value;
    ngx_uint_t        i;
    struct ol_key    *key, **keys;
    struct ol_error   err;

    value = cf->args->elts;
    path = value[1];

    if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (oscf->keys == NGX_CONF_UNSET_PTR) {
        oscf->keys = ngx_array_create(cf->pool, 2, sizeof(struct ol_key *));
        if (oscf->keys == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (oscf->keys->nelts == OL_KEYSET_MAX) {
        return "is given too often: a site has 16 keys at most";
    }

    if (ol_key_load((char *) path.data, &key, &err) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid key in \"offload_key\": %s", err.text);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_offload_keep_key(cf, key) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    keys = oscf->keys->elts;

    for (i = 0; i < oscf->keys->nelts; i++) {
        if (ngx_strcmp(ol_key_id(keys[i]), ol_key_id(key)) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"offload_key %V\" is duplicate", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    keys = ngx_array_push(oscf->keys);
    if (keys == NULL) {
        return NGX_CONF_ERROR;
    }

    *keys = key;

    return NGX_CONF_OK;
}


/* foreign: asked by others, so not at any port */

char *
ngx_http_offload_parse_origin(ngx_conf_t *cf, ngx_str_t *url, ngx_str_t *ret,
    ngx_uint_t foreign)
{
    struct ol_error   err;
    struct ol_origin  origin;

    if (ol_origin_parse_bare((char *) url->data, url->len, &origin, &err)
        != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URL \"%V\" in \"%V\": %s",
                           url, cf->args->elts, err.text);
        return NGX_CONF_ERROR;
    }

    if (foreign && !ol_origin_port_ok(&origin)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid port in \"%V\" in \"%V\": only 80, 443 "
                           "and those from 1024 on are asked by others",
                           url, cf->args->elts);
        return NGX_CONF_ERROR;
    }

    return ngx_http_offload_copy_origin(cf, &origin, ret);
}


char *
ngx_http_offload_set_site(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_offload_srv_conf_t  *oscf = conf;

    if (oscf->sites != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    if (cf->args->nelts - 1 > NGX_HTTP_OFFLOAD_SITES) {
        return "has too many names: a site has 8 at most";
    }

    return ngx_http_offload_set_origins(cf, &oscf->sites, 0);
}


char *
ngx_http_offload_set_sync(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_offload_srv_conf_t  *oscf = conf;

    if (oscf->instances != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    if (cf->args->nelts - 1 > NGX_HTTP_OFFLOAD_INSTANCES) {
        return "names too many instances: a site has 8 at most";
    }

    return ngx_http_offload_set_origins(cf, &oscf->instances, 1);
}


static char *
ngx_http_offload_set_origins(ngx_conf_t *cf, ngx_array_t **origins,
    ngx_uint_t foreign)
{
    ngx_str_t   *value, *origin;
    ngx_uint_t   i;

    *origins = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                sizeof(ngx_str_t));
    if (*origins == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        origin = ngx_array_push(*origins);
        if (origin == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_http_offload_parse_origin(cf, &value[i], origin, foreign)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_offload_set_coordinator(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_offload_srv_conf_t  *oscf = conf;

    ngx_str_t                    url, *value;
    ngx_uint_t                   i;
    struct ol_key               *key;
    struct ol_error              err;
    ngx_http_offload_tracker_t  *tracker;

    value = cf->args->elts;

    if (ngx_http_offload_parse_origin(cf, &value[1], &url, 1)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (oscf->coordinators == NGX_CONF_UNSET_PTR) {
        oscf->coordinators = ngx_array_create(cf->pool, 1,
                                          sizeof(ngx_http_offload_tracker_t));
        if (oscf->coordinators == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (oscf->coordinators->nelts == OL_MANIFEST_TRACKERS) {
        return "is given too often: a site has 8 coordinators at most";
    }

    if (ol_key_from_x((char *) value[2].data, value[2].len, &key, &err) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid public key \"%V\" in "
                           "\"offload_coordinator\": %s",
                           &value[2], err.text);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_offload_keep_key(cf, key) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    tracker = oscf->coordinators->elts;

    for (i = 0; i < oscf->coordinators->nelts; i++) {
        if (ngx_strcmp(ol_key_id(tracker[i].key), ol_key_id(key)) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"offload_coordinator\" with the key \"%V\" "
                               "is duplicate", &value[2]);
            return NGX_CONF_ERROR;
        }
    }

    tracker = ngx_array_push(oscf->coordinators);
    if (tracker == NULL) {
        return NGX_CONF_ERROR;
    }

    tracker->url = url;
    tracker->key = key;

    return NGX_CONF_OK;
}


char *
ngx_http_offload_merge_site(ngx_conf_t *cf, ngx_http_offload_srv_conf_t *conf)
{
    char       *jwks;
    u_char      digest[OL_HASH_BYTES];
    ngx_str_t  *site;

    if (conf->keys == NULL) {
        return NGX_CONF_OK;
    }

    if (conf->sites == NULL
        && ngx_http_offload_default_site(cf, conf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->sites) {
        site = conf->sites->elts;

        conf->iss = *site;
        conf->https = ngx_strncmp(site->data, "https:", 6) == 0;

        ol_sha256(site->data, site->len, digest);
        ngx_memcpy(conf->id, digest, NGX_HTTP_OFFLOAD_SITE_LEN);
    }

    jwks = ol_keyset_dump((const struct ol_key *const *) conf->keys->elts,
                          conf->keys->nelts);
    if (jwks == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->jwks.len = ngx_strlen(jwks);
    conf->jwks.data = ngx_pnalloc(cf->pool, conf->jwks.len);

    if (conf->jwks.data) {
        ngx_memcpy(conf->jwks.data, jwks, conf->jwks.len);
    }

    free(jwks);

    return conf->jwks.data ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* the scheme and port of the first "listen", the first plain "server_name" */

static char *
ngx_http_offload_default_site(ngx_conf_t *cf,
    ngx_http_offload_srv_conf_t *conf)
{
    u_char                    *p;
    ngx_str_t                  url, *site;
    ngx_uint_t                 i;
    struct ol_origin           origin;
    ngx_http_server_name_t    *name;
    ngx_http_listen_opt_t     *opt;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    name = cscf->server_names.elts;

    for (i = 0; i < cscf->server_names.nelts; i++) {
#if (NGX_PCRE)
        if (name[i].regex) {
            continue;
        }
#endif

        if (name[i].name.len
            && ngx_strlchr(name[i].name.data,
                           name[i].name.data + name[i].name.len, '*') == NULL
            && name[i].name.data[0] != '.' && name[i].name.data[0] != '_')
        {
            break;
        }
    }

    opt = ngx_http_offload_listen(cf, cscf);

    if (i == cscf->server_names.nelts || opt == NULL) {
        return NGX_CONF_OK;
    }

    url.data = ngx_pnalloc(cf->temp_pool, sizeof("https://:65535") - 1
                                          + name[i].name.len);
    if (url.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_sprintf(url.data, "%s://%V:%ui", opt->ssl ? "https" : "http",
                    &name[i].name,
                    (ngx_uint_t) ngx_inet_get_port(opt->sockaddr));
    url.len = p - url.data;

    if (ol_origin_parse_bare((char *) url.data, url.len, &origin, NULL) != 0) {
        return NGX_CONF_OK;
    }

    conf->sites = ngx_array_create(cf->pool, 1, sizeof(ngx_str_t));
    if (conf->sites == NULL) {
        return NGX_CONF_ERROR;
    }

    site = ngx_array_push(conf->sites);
    if (site == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_offload_copy_origin(cf, &origin, site);
}


static char *
ngx_http_offload_copy_origin(ngx_conf_t *cf, struct ol_origin *origin,
    ngx_str_t *ret)
{
    ret->len = ngx_strlen(origin->text);
    ret->data = ngx_pnalloc(cf->pool, ret->len + 1);
    if (ret->data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(ret->data, origin->text, ret->len + 1);

    return NGX_CONF_OK;
}


/* the first TCP socket of a server; one with TLS, if there is one */

static ngx_http_listen_opt_t *
ngx_http_offload_listen(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t                   i, k, n;
    ngx_http_listen_opt_t       *found;
    ngx_http_conf_addr_t        *addr;
    ngx_http_conf_port_t        *port;
    ngx_http_core_srv_conf_t   **server;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (cmcf->ports == NULL) {
        return NULL;
    }

    found = NULL;
    port = cmcf->ports->elts;

    for (i = 0; i < cmcf->ports->nelts; i++) {
        addr = port[i].addrs.elts;

        for (k = 0; k < port[i].addrs.nelts; k++) {
            server = addr[k].servers.elts;

            for (n = 0; n < addr[k].servers.nelts; n++) {

                if (server[n] == cscf
                    && ngx_inet_get_port(addr[k].opt.sockaddr)
                    && (found == NULL || (addr[k].opt.ssl && !found->ssl)))
                {
                    found = &addr[k].opt;
                }
            }
        }
    }

    return found;
}


/* only now is it known whether what "offload on" needs is anywhere */

char *
ngx_http_offload_check_enabled(ngx_conf_t *cf,
    ngx_http_offload_loc_conf_t *conf)
{
    char                          *missing;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    if (!conf->enable && !conf->endpoint) {
        return NGX_CONF_OK;
    }

    omcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_offload_module);
    oscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_offload_module);

    if (omcf->zone == NULL) {
        missing = "\"offload_zone\", such as \"offload_zone 32m;\" "
                  "in \"http\"";

    } else if (oscf->keys == NULL) {
        missing = "\"offload_key\", such as \"offload_key offload.pem;\", "
                  "a file made by \"offload keygen\"";

    } else if (oscf->sites == NULL) {
        missing = "\"offload_site\", such as "
                  "\"offload_site https://example.org;\", "
                  "or a plain \"server_name\"";

    } else {
        return NGX_CONF_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"%s\" needs %s, in %V:%ui",
                  conf->enable ? "offload on" : "offload_endpoint",
                  missing, &conf->file, conf->line);

    return NGX_CONF_ERROR;
}


/*
 * What stands before a file that others would not pass: a location's rules of
 * access, and what a request carries that may have opened the way.  Nobody is
 * asked and nothing is evaluated twice: where there is a guard, the file is
 * not for anyone, whoever passed it.  Knows nothing of the zone.
 */


#include "ngx_http_offload.h"


/*
 * How the configuration of nginx's own modules begins, which no header says:
 * the same from 1.22 to the version that was last looked at.  A later one may
 * have something else there, which is not followed: anything is a guard
 */

#ifndef NGX_HTTP_OFFLOAD_CHECKED
#define NGX_HTTP_OFFLOAD_CHECKED  1031005
#endif

#define NGX_HTTP_OFFLOAD_FOREIGN  (nginx_version > NGX_HTTP_OFFLOAD_CHECKED)

typedef struct {
    ngx_array_t                *rules;
#if (NGX_HAVE_INET6)
    ngx_array_t                *rules6;
#endif
#if (NGX_HAVE_UNIX_DOMAIN)
    ngx_array_t                *rules_un;
#endif
} ngx_http_offload_access_conf_t;


typedef struct {
    in_addr_t                   mask;
    in_addr_t                   addr;
    ngx_uint_t                  deny;
} ngx_http_offload_access_rule_t;


#if (NGX_HAVE_INET6)

typedef struct {
    struct in6_addr             addr;
    struct in6_addr             mask;
    ngx_uint_t                  deny;
} ngx_http_offload_access_rule6_t;

#endif


typedef struct {
    ngx_http_complex_value_t   *realm;
} ngx_http_offload_auth_basic_conf_t;


typedef struct {
    ngx_str_t                   uri;
} ngx_http_offload_auth_request_conf_t;


typedef struct {
    ngx_http_complex_value_t   *variable;
    ngx_http_complex_value_t   *md5;
    ngx_str_t                   secret;
} ngx_http_offload_secure_link_conf_t;


typedef struct {
    ngx_array_t                *codes;
} ngx_http_offload_rewrite_conf_t;


typedef ngx_uint_t (*ngx_http_offload_guard_pt)(ngx_http_request_t *r,
    void *conf);


typedef struct {
    char                       *module;
    ngx_http_offload_guard_pt   guards;
} ngx_http_offload_guard_t;


static void *ngx_http_offload_conf_of(void **all, char *name);
static ngx_uint_t ngx_http_offload_access(ngx_http_request_t *r, void *conf);
static ngx_uint_t ngx_http_offload_auth_basic(ngx_http_request_t *r,
    void *conf);
static ngx_uint_t ngx_http_offload_auth_request(ngx_http_request_t *r,
    void *conf);
static ngx_uint_t ngx_http_offload_secure_link(ngx_http_request_t *r,
    void *conf);
static ngx_uint_t ngx_http_offload_rewrite(ngx_http_request_t *r, void *conf);
static ngx_uint_t ngx_http_offload_rewrites(ngx_http_request_t *r, void **all);
static ngx_uint_t ngx_http_offload_certified(ngx_http_request_t *r);
static ngx_uint_t ngx_http_offload_referred(ngx_http_request_t *r);
static ngx_uint_t ngx_http_offload_credential(ngx_table_elt_t *h);


static ngx_http_offload_guard_t  ngx_http_offload_guards[] = {

    { "ngx_http_access_module", ngx_http_offload_access },

    { "ngx_http_auth_basic_module", ngx_http_offload_auth_basic },

    { "ngx_http_auth_request_module", ngx_http_offload_auth_request },

    { "ngx_http_secure_link_module", ngx_http_offload_secure_link },

    { "ngx_http_rewrite_module", ngx_http_offload_rewrite },

    { NULL, NULL }
};


/* an "if" that was true stands in for the location around it */

void
ngx_http_offload_guard_merge(ngx_conf_t *cf,
    ngx_http_offload_loc_conf_t *prev, ngx_http_offload_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    conf->all = clcf->loc_conf;
    conf->outer = clcf->noname ? prev->all : NULL;
}


/* or nobody would know why so little is offered */

void
ngx_http_offload_guard_init(ngx_conf_t *cf)
{
    if (NGX_HTTP_OFFLOAD_FOREIGN) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "this nginx is later than what the offload module "
                           "knows: nothing is offered where there is any rule "
                           "of access or rewriting");
    }
}


/* of the location that a request has ended in: found out once a worker */

ngx_uint_t
ngx_http_offload_guarded(ngx_http_request_t *r)
{
    void                         *conf;
    ngx_http_offload_guard_t     *guard;
    ngx_http_offload_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    if (olcf->judged) {
        return olcf->guarded;
    }

    for (guard = ngx_http_offload_guards; guard->module; guard++) {
        conf = ngx_http_offload_conf_of(r->loc_conf, guard->module);

        if (conf && guard->guards(r, conf)) {
            olcf->guarded = 1;
            break;
        }
    }

    olcf->judged = 1;

    return olcf->guarded;
}


/* by the module's name, since nginx may be built without it */

static void *
ngx_http_offload_conf_of(void **all, char *name)
{
    ngx_uint_t  i;

    for (i = 0; ngx_cycle->modules[i]; i++) {
        if (ngx_strcmp(ngx_cycle->modules[i]->name, name) == 0) {
            return all[ngx_cycle->modules[i]->ctx_index];
        }
    }

    return NULL;
}


/*
 * A rule that denies is one for those who are left over, too.  Where any of
 * several conditions suffices, a rule that allows is one of them
 */

static ngx_uint_t
ngx_http_offload_access(ngx_http_request_t *r, void *conf)
{
    ngx_http_offload_access_conf_t   *alcf = conf;

    ngx_uint_t                        i;
    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_offload_access_rule_t   *rule;
#if (NGX_HAVE_INET6)
    ngx_http_offload_access_rule6_t  *rule6;
#endif

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY || NGX_HTTP_OFFLOAD_FOREIGN) {
        return alcf->rules != NULL
#if (NGX_HAVE_INET6)
               || alcf->rules6 != NULL
#endif
#if (NGX_HAVE_UNIX_DOMAIN)
               || alcf->rules_un != NULL
#endif
               ;
    }

    if (alcf->rules) {
        rule = alcf->rules->elts;

        for (i = 0; i < alcf->rules->nelts; i++) {
            if (rule[i].deny) {
                return 1;
            }
        }
    }

#if (NGX_HAVE_INET6)

    if (alcf->rules6) {
        rule6 = alcf->rules6->elts;

        for (i = 0; i < alcf->rules6->nelts; i++) {
            if (rule6[i].deny) {
                return 1;
            }
        }
    }

#endif

    return 0;
}


static ngx_uint_t
ngx_http_offload_auth_basic(ngx_http_request_t *r, void *conf)
{
    ngx_http_offload_auth_basic_conf_t  *alcf = conf;

    return alcf->realm != NULL
           && (NGX_HTTP_OFFLOAD_FOREIGN
               || alcf->realm->lengths != NULL
               || alcf->realm->value.len != 3
               || ngx_strncmp(alcf->realm->value.data, "off", 3) != 0);
}


static ngx_uint_t
ngx_http_offload_auth_request(ngx_http_request_t *r, void *conf)
{
    ngx_http_offload_auth_request_conf_t  *arcf = conf;

    return arcf->uri.len != 0;
}


static ngx_uint_t
ngx_http_offload_secure_link(ngx_http_request_t *r, void *conf)
{
    ngx_http_offload_secure_link_conf_t  *slcf = conf;

    return slcf->variable != NULL || slcf->md5 != NULL
           || slcf->secret.len != 0;
}


/* the location's rules, those of what is around an "if", and the server's */

static ngx_uint_t
ngx_http_offload_rewrite(ngx_http_request_t *r, void *conf)
{
    void                        **all;
    ngx_http_core_srv_conf_t     *cscf;
    ngx_http_offload_loc_conf_t  *olcf;

    for (all = r->loc_conf; all; all = olcf->outer) {

        if (ngx_http_offload_rewrites(r, all)) {
            return 1;
        }

        olcf = all[ngx_http_offload_module.ctx_index];
    }

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    return ngx_http_offload_rewrites(r, cscf->ctx->loc_conf);
}


static ngx_uint_t
ngx_http_offload_rewrites(ngx_http_request_t *r, void **all)
{
    ngx_http_offload_rewrite_conf_t  *rlcf;

    rlcf = ngx_http_offload_conf_of(all, "ngx_http_rewrite_module");

    if (NGX_HTTP_OFFLOAD_FOREIGN) {
        return rlcf->codes != NULL;
    }

    return ngx_http_offload_rules(r, all, rlcf->codes);
}


/*
 * Nodes bring no credentials: an answer to a request with any says nothing of
 * what they would get
 */

ngx_uint_t
ngx_http_offload_credentials(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    if (ngx_http_offload_certified(r) || ngx_http_offload_referred(r)) {
        return 1;
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_offload_credential(&h[i])) {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_offload_certified(ngx_http_request_t *r)
{
#if (NGX_HTTP_SSL)

    X509  *cert;

    if (r->connection->ssl == NULL) {
        return 0;
    }

    cert = SSL_get_peer_certificate(r->connection->ssl->connection);

    if (cert) {
        X509_free(cert);
        return 1;
    }

#endif

    return 0;
}


/* a Referer, where none would not do: what $invalid_referer is without it */

static ngx_uint_t
ngx_http_offload_referred(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_uint_t                  key;
    ngx_table_elt_t            *referer;
    ngx_http_variable_t        *v;
    ngx_http_variable_value_t   value;
    ngx_http_core_main_conf_t  *cmcf;

    static ngx_str_t  name = ngx_string("invalid_referer");

    referer = r->headers_in.referer;

    if (referer == NULL) {
        return 0;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    key = ngx_hash_key(name.data, name.len);
    v = ngx_hash_find(&cmcf->variables_hash, key, name.data, name.len);

    if (v == NULL || v->get_handler == NULL) {
        return 0;
    }

    ngx_memzero(&value, sizeof(ngx_http_variable_value_t));

    r->headers_in.referer = NULL;

    rc = v->get_handler(r, &value, v->data);

    r->headers_in.referer = referer;

    return rc != NGX_OK || value.not_found || value.len != 0;
}


/*
 * By its name, since any header may be one: what browsers alone may send, and
 * what says which answers are understood, is none
 */

static ngx_uint_t
ngx_http_offload_credential(ngx_table_elt_t *h)
{
    u_char      *key, *last;
    ngx_uint_t   i;

    static ngx_str_t  words[] = {
        ngx_string("assert"),
        ngx_string("auth"),
        ngx_string("cert"),
        ngx_string("cred"),
        ngx_string("email"),
        ngx_string("group"),
        ngx_string("jwt"),
        ngx_string("key"),
        ngx_string("oidc"),
        ngx_string("passw"),
        ngx_string("remote-"),
        ngx_string("saml"),
        ngx_string("secret"),
        ngx_string("session"),
        ngx_string("sign"),
        ngx_string("token"),
        ngx_string("user"),
        ngx_null_string
    };

    key = h->key.data;
    last = key + h->key.len;

    if ((h->key.len > 4 && ngx_strncasecmp(key, (u_char *) "sec-", 4) == 0)
        || (h->key.len > 6
            && ngx_strncasecmp(key, (u_char *) "accept", 6) == 0)
        || (h->key.len == sizeof("User-Agent") - 1
            && ngx_strncasecmp(key, (u_char *) "User-Agent", h->key.len)
               == 0))
    {
        return 0;
    }

    for (i = 0; words[i].len; i++) {
        if (ngx_strlcasestrn(key, last, words[i].data, words[i].len - 1)) {
            return 1;
        }
    }

    return 0;
}


/*
 * $offload_status: what became of the request.  $offload_root: the content it
 * was about, if that is known.  $offload_peer: the id of the node that it was
 * redirected to.  All are empty where "offload" is off.
 */


#include "ngx_http_offload.h"


static ngx_int_t ngx_http_offload_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_offload_root_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_offload_peer_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_http_variable_t  ngx_http_offload_vars[] = {

    { ngx_string("offload_status"), NULL,
      ngx_http_offload_status_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("offload_root"), NULL,
      ngx_http_offload_root_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("offload_peer"), NULL,
      ngx_http_offload_peer_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_str_t  ngx_http_offload_outcomes[] = {
    ngx_string("direct"),
    ngx_string("manifest"),
    ngx_string("redirect"),
    ngx_string("bypass"),
    ngx_string("indexing"),
    ngx_string("nopeers"),
    ngx_string("ineligible"),
    ngx_string("idle")
};


ngx_int_t
ngx_http_offload_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_offload_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                    *text;
    ngx_http_offload_ctx_t       *ctx;
    ngx_http_offload_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);
    ctx = ngx_http_get_module_ctx(r, ngx_http_offload_module);

    if (!olcf->enable) {
        v->not_found = 1;
        return NGX_OK;
    }

    text = &ngx_http_offload_outcomes[ctx ? ctx->outcome
                                          : NGX_HTTP_OFFLOAD_INELIGIBLE];

    v->data = text->data;
    v->len = text->len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_root_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_offload_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_offload_module);

    if (ctx == NULL || !ctx->rooted) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = (u_char *) ctx->root;
    v->len = OL_ROOT_HEX;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_peer_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_offload_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_offload_module);

    if (ctx == NULL || ctx->peer[0] == '\0') {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = (u_char *) ctx->peer;
    v->len = OL_KEY_CHARS;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}

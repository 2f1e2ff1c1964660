
/*
 * The lines of a header: gone through, and added to an answer.  Knows none of
 * them by name.
 */


#include "ngx_http_offload.h"


/* of a list; i is where in the part.  NULL: no further one */

ngx_table_elt_t *
ngx_http_offload_next_header(ngx_list_part_t **part, ngx_uint_t *i)
{
    ngx_table_elt_t  *h;

    for ( ;; ) {

        if (*i >= (*part)->nelts) {
            if ((*part)->next == NULL) {
                return NULL;
            }

            *part = (*part)->next;
            *i = 0;
            continue;
        }

        h = (*part)->elts;
        h += (*i)++;

        if (h->hash) {
            return h;
        }
    }
}


/* neither is copied; NULL: no memory */

ngx_table_elt_t *
ngx_http_offload_push_header(ngx_http_request_t *r, ngx_str_t *key,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    h->hash = 1;
    h->key = *key;
    h->value = *value;
    h->lowcase_key = NULL;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return h;
}


ngx_int_t
ngx_http_offload_add_header(ngx_http_request_t *r, ngx_str_t *key,
    ngx_str_t *value)
{
    return ngx_http_offload_push_header(r, key, value) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_offload_header(ngx_http_request_t *r, char *key, char *value)
{
    ngx_str_t  name, text;

    name.data = (u_char *) key;
    name.len = ngx_strlen(key);

    text.data = (u_char *) value;
    text.len = ngx_strlen(value);

    return ngx_http_offload_add_header(r, &name, &text);
}

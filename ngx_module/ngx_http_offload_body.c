
/*
 * The body of a request in one piece, be it in memory or in the file that
 * nginx has just written it to.
 */


#include "ngx_http_offload.h"


/* a body longer than max has a length, and no text */

ngx_int_t
ngx_http_offload_body(ngx_http_request_t *r, size_t max, ngx_str_t *body)
{
    size_t        size;
    u_char       *p;
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    ngx_str_null(body);

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        body->len += ngx_buf_size(cl->buf);
    }

    if (body->len > max) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, body->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;
        size = ngx_buf_size(b);

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, size);
            continue;
        }

        /* the last buffer of a body may be there just to be the last */

        if (!b->in_file) {
            continue;
        }

        n = ngx_read_file(b->file, p, size, b->file_pos);

        if (n < 0 || (size_t) n != size) {
            return NGX_ERROR;
        }

        p += n;
    }

    return NGX_OK;
}


/*
 * Tickets of contents: signed once per key and window of ten minutes, kept
 * with the content, given to whoever names its URL at a node.
 */


#include "ngx_http_offload.h"


static ngx_uint_t ngx_http_offload_ticket_is(ngx_http_offload_ticket_t *ticket,
    struct ol_key *key, time_t expiry);
static void ngx_http_offload_ticket_keep(ngx_http_request_t *r, u_char *root,
    struct ol_key *key, time_t expiry, char *query);


/*
 * The query of a content's URL, with a NUL; room: OL_TICKET_MAX.  NGX_DECLINED:
 * no such content; NGX_BUSY: enough is signed in this second
 */

ngx_int_t
ngx_http_offload_content_ticket(ngx_http_request_t *r, u_char *root,
    u_char *query)
{
    time_t                         expiry;
    ngx_uint_t                     found;
    struct ol_key                **key;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_content_t    *content;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    key = oscf->keys->elts;
    expiry = ol_ticket_expiry(ngx_time());
    found = 0;

    sh = ngx_http_offload_lock(omcf->zone);

    content = ngx_http_offload_content_find(sh, oscf->id, root);

    if (content && content->ticket
        && ngx_http_offload_ticket_is(content->ticket, *key, expiry))
    {
        ngx_memcpy(query, content->ticket->query, OL_TICKET_MAX);
        found = 1;
    }

    ngx_http_offload_unlock(omcf->zone);

    if (content == NULL) {
        return NGX_DECLINED;
    }

    if (found) {
        return NGX_OK;
    }

    if (!ngx_http_offload_manifest_budget()) {
        return NGX_BUSY;
    }

    if (ol_ticket_sign(*key, root, expiry, (char *) query) != 0) {
        return NGX_ERROR;
    }

    (void) ngx_atomic_fetch_add(&sh->signatures, 1);

    ngx_http_offload_ticket_keep(r, root, *key, expiry, (char *) query);

    return NGX_OK;
}


static ngx_uint_t
ngx_http_offload_ticket_is(ngx_http_offload_ticket_t *ticket,
    struct ol_key *key, time_t expiry)
{
    return ticket->window == (uint32_t) (expiry / OL_TICKET_WINDOW_S)
           && ngx_memcmp(ticket->signer, ol_key_id_bytes(key),
                         sizeof(ticket->signer))
              == 0;
}


/* if there is no room for it, the next one signs again */

static void
ngx_http_offload_ticket_keep(ngx_http_request_t *r, u_char *root,
    struct ol_key *key, time_t expiry, char *query)
{
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_ticket_t     *ticket;
    ngx_http_offload_content_t    *content;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    sh = ngx_http_offload_lock(omcf->zone);

    content = ngx_http_offload_content_find(sh, oscf->id, root);

    if (content == NULL) {
        goto done;
    }

    if (content->ticket == NULL) {
        content->pinned = 1;
        content->ticket = ngx_http_offload_alloc(omcf->zone,
                                           sizeof(ngx_http_offload_ticket_t));
        content->pinned = 0;
    }

    ticket = content->ticket;

    if (ticket) {
        ticket->window = (uint32_t) (expiry / OL_TICKET_WINDOW_S);
        ngx_memcpy(ticket->signer, ol_key_id_bytes(key),
                   sizeof(ticket->signer));
        ngx_memcpy(ticket->query, query, OL_TICKET_MAX);
    }

done:

    ngx_http_offload_unlock(omcf->zone);
}


/*
 * The numbers, as JSON, for users of this machine: what requests came to, what
 * the zone holds, and how the coordinators are doing.
 */


#include "ngx_http_offload.h"


static ngx_uint_t ngx_http_offload_loopback(struct sockaddr *sa);
static json_t *ngx_http_offload_status_json(ngx_http_offload_zone_t *zone);
static json_t *ngx_http_offload_status_coordinators(
    ngx_http_offload_coordinator_t *c);


ngx_int_t
ngx_http_offload_status(ngx_http_request_t *r)
{
    char                          *text;
    json_t                        *json;
    ngx_int_t                      rc;
    ngx_http_offload_loc_conf_t   *olcf;
    ngx_http_offload_main_conf_t  *omcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    if (!olcf->open && !ngx_http_offload_loopback(r->connection->sockaddr)) {
        return ngx_http_offload_refuse(r, NGX_HTTP_FORBIDDEN,
                                       "status is for loopback addresses only",
                                       NULL);
    }

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);

    json = ngx_http_offload_status_json(omcf->zone);
    text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;

    json_decref(json);

    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_offload_send(r, NGX_HTTP_OK, "application/json",
                               (u_char *) text, ngx_strlen(text));
    free(text);

    return rc;
}


static ngx_uint_t
ngx_http_offload_loopback(struct sockaddr *sa)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        return (ntohl(sin->sin_addr.s_addr) >> 24) == 127;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr)
               || (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)
                   && sin6->sin6_addr.s6_addr[12] == 127);
#endif

    default:
        return 0;
    }
}


static json_t *
ngx_http_offload_status_json(ngx_http_offload_zone_t *zone)
{
    ngx_uint_t               i;
    ngx_http_offload_sh_t   *sh;

    json_int_t               n[5], outcomes[NGX_HTTP_OFFLOAD_OUTCOMES];
    ngx_http_offload_coordinator_t
                             c[NGX_HTTP_OFFLOAD_COORDINATORS];

    sh = ngx_http_offload_lock(zone);

    n[0] = sh->nfiles;
    n[1] = sh->ncontents;
    n[2] = sh->nnodes;
    n[3] = sh->njobs;
    n[4] = zone->shpool->pfree;

    for (i = 0; i < NGX_HTTP_OFFLOAD_OUTCOMES; i++) {
        outcomes[i] = sh->outcomes[i];
    }

    ngx_memcpy(c, sh->coordinators, sizeof(c));

    ngx_http_offload_unlock(zone);

    return json_pack("{s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}, s:I, s:I, s:I, s:I, s:I,"
                     " s:I, s:I, s:o}",
                     "requests",
                     "direct", outcomes[NGX_HTTP_OFFLOAD_DIRECT],
                     "manifest", outcomes[NGX_HTTP_OFFLOAD_MANIFEST],
                     "redirect", outcomes[NGX_HTTP_OFFLOAD_REDIRECT],
                     "bypass", outcomes[NGX_HTTP_OFFLOAD_BYPASS],
                     "indexing", outcomes[NGX_HTTP_OFFLOAD_INDEXING],
                     "nopeers", outcomes[NGX_HTTP_OFFLOAD_NOPEERS],
                     "ineligible", outcomes[NGX_HTTP_OFFLOAD_INELIGIBLE],
                     "idle", outcomes[NGX_HTTP_OFFLOAD_IDLE],
                     "signatures", (json_int_t) sh->signatures,
                     "hashed", (json_int_t) sh->hashed,
                     "files", n[0],
                     "contents", n[1],
                     "nodes", n[2],
                     "queued", n[3],
                     "free_pages", n[4],
                     "coordinators",
                     ngx_http_offload_status_coordinators(c));
}


static json_t *
ngx_http_offload_status_coordinators(ngx_http_offload_coordinator_t *c)
{
    json_t      *list, *item;
    ngx_uint_t   i;

    list = json_array();

    for (i = 0; i < NGX_HTTP_OFFLOAD_COORDINATORS; i++) {

        if (!c[i].used) {
            continue;
        }

        item = json_pack("{s:s%, s:I, s:I}",
                         "id", c[i].kid, (size_t) OL_KEY_CHARS,
                         "seq", (json_int_t) c[i].seq,
                         "applied", (json_int_t) c[i].applied);

        if (item && c[i].synced) {
            (void) json_object_set_new(item, "age",
                                       json_integer(ngx_time()
                                                    - c[i].synced));
        }

        (void) json_array_append_new(list, item);
    }

    return list;
}

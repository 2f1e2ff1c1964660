/*
 * f/<root>/<name>.EXT: what of a path is the root, the name and the format.
 * Put together again they are the path.
 */
#include "ngx_http_offload_format.c"

#include "fuzz.h"

#define PLACE NGX_HTTP_OFFLOAD_PREFIX "f/"

static void
taken(const ngx_http_request_t *r, const ngx_http_offload_ctx_t *ctx,
      const u_char *root, const ngx_str_t *name)
{
    const ngx_str_t *suffix;
    char hex[OL_ROOT_HEX + 1];
    size_t at = strlen(PLACE) + OL_ROOT_HEX + 1;

    MUST(ctx->format > NGX_HTTP_OFFLOAD_NO_FORMAT &&
         ctx->format < NGX_HTTP_OFFLOAD_FORMS);
    suffix = &ngx_http_offload_forms[ctx->format].suffix;
    ol_hex_encode(hex, root, OL_HASH_BYTES);
    MUST(memcmp(r->uri.data + strlen(PLACE), hex, OL_ROOT_HEX) == 0);
    MUST(name->len > 0 && name->data == r->uri.data + at);
    MUST(memchr(name->data, '/', name->len) == NULL);
    MUST(at + name->len + suffix->len == r->uri.len);
    MUST(memcmp(name->data + name->len, suffix->data, suffix->len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    ngx_http_offload_ctx_t ctx = {.want = NGX_HTTP_OFFLOAD_WANT_FILE};
    ngx_http_request_t r = {.signature = NGX_HTTP_MODULE};
    size_t prefix = strlen(PLACE);
    u_char root[OL_HASH_BYTES];
    ngx_str_t name;

    /* The endpoint's table has looked at the prefix. */
    r.uri.len = prefix + len;
    r.uri.data = malloc(r.uri.len);
    memcpy(r.uri.data, PLACE, prefix);
    if (len > 0)
        memcpy(r.uri.data + prefix, data, len);
    if (ngx_http_offload_format_parse(&r, &ctx, root, &name) == NGX_OK)
        taken(&r, &ctx, root, &name);
    free(r.uri.data);
    return 0;
}

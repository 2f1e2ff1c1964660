/*
 * The headers by which a manifest is asked for.  The file as a whole is under
 * test, with the functions that it keeps to itself.
 */
#include "fuzz.h"

#include "../ngx_module/ngx_http_offload_negotiate.c"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    /* Of its own size, so that a step too far is seen. */
    u_char *copy = malloc(len);
    ngx_str_t value = {len, copy};

    memcpy(copy, data, len);
    if (ngx_http_offload_accepts(&value))
        MUST(ngx_strlcasestrn(copy, copy + len, (u_char *)OL_MANIFEST_TYPE,
                              sizeof(OL_MANIFEST_TYPE) - 2) != NULL);
    if (ngx_http_offload_fetch(&value) == NGX_HTTP_OFFLOAD_WANT_MANIFEST)
        MUST(len >= sizeof("manifest") - 1);
    if (ngx_http_offload_has_token(&value, "private", 7))
        MUST(ngx_strlcasestrn(copy, copy + len, (u_char *)"private", 6) !=
             NULL);
    (void)ngx_http_offload_printable(&value);
    free(copy);
    return 0;
}

/*
 * The path of a request, as the module and clients compare it.  What comes out
 * is in the one form: encoded, and read again, it is the same.
 */
#include "fuzz.h"

#include "offload/origin.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static char sub[OL_SUB_MAX + 1], url[3 * OL_SUB_MAX + 1],
        again[sizeof(sub)];
    struct ol_origin origin;
    size_t sub_len, again_len;
    int n;

    (void)ol_origin_parse((const char *)data, len, &origin, NULL);
    if (ol_subject_normalise((const char *)data, len, sub, sizeof(sub),
                             &sub_len) != 0)
        return 0;
    MUST(sub_len <= OL_SUB_MAX && strlen(sub) == sub_len && sub[0] == '/');
    MUST(strstr(sub, "//") == NULL && strstr(sub, "/../") == NULL);
    n = ol_subject_encode(sub, sub_len, url, sizeof(url));
    MUST(n > 0);
    MUST(ol_subject_normalise(url, (size_t)n, again, sizeof(again),
                              &again_len) == 0);
    MUST(again_len == sub_len && memcmp(sub, again, sub_len) == 0);
    return 0;
}

/*
 * Accept-Signature, and the types that are signed: what asks for our signature
 * names key and tag, in quotes.
 */
#include "fuzz.h"

#include "offload/sri.h"

#define X "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static int
has(const char *data, size_t len, const char *text)
{
    return memmem(data, len, text, strlen(text)) != NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    /* Of its own size, so that a step too far is seen. */
    char *copy = malloc(len);

    memcpy(copy, data, len);
    if (ol_sri_asks(copy, len, X)) {
        MUST(len <= OL_SRI_ASK_MAX);
        MUST(has(copy, len, "keyid=\"" X "=\""));
        MUST(has(copy, len, "tag=\"ed25519-integrity\""));
    }
    if (ol_sri_type(copy, len))
        MUST(len >= sizeof("text/css") - 1 && memchr(copy, '/', len) != NULL);
    free(copy);
    return 0;
}

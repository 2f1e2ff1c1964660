/*
 * What the fuzzers share: an nginx that is far enough for the module's files.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "ngx_http_offload_sync.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Found: what must hold does not. */
#define MUST(what)                                                             \
    do {                                                                       \
        if (!(what)) {                                                         \
            fprintf(stderr, "%s:%d: Assertion: %s\n", __FILE__, __LINE__,      \
                    #what);                                                    \
            abort();                                                           \
        }                                                                      \
    } while (0)

#endif

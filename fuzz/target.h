/*
 * What a fuzzer is: bytes in, and things that must hold.
 */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>
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

/*
 * The library of Redis Functions, embedded in the program.
 */
#include "coordinator/store/library.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* head.lua declares what the others use. */
__asm__(".pushsection .rodata\n"
        "library_begin:\n"
        ".incbin \"coordinator/store/functions/head.lua\"\n"
        ".incbin \"coordinator/store/functions/nodes.lua\"\n"
        ".incbin \"coordinator/store/functions/standing.lua\"\n"
        ".incbin \"coordinator/store/functions/assignments.lua\"\n"
        ".incbin \"coordinator/store/functions/contents.lua\"\n"
        ".incbin \"coordinator/store/functions/sites.lua\"\n"
        ".incbin \"coordinator/store/functions/history.lua\"\n"
        ".incbin \"coordinator/store/functions/ledger.lua\"\n"
        ".incbin \"coordinator/store/functions/swarms.lua\"\n"
        ".byte 0\n"
        "library_end:\n"
        ".popsection\n");
extern const char library_begin[] __attribute__((visibility("hidden")));
extern const char library_end[] __attribute__((visibility("hidden")));

const char *
library_text(size_t *ret_len)
{
    *ret_len = (size_t)((uintptr_t)library_end - (uintptr_t)library_begin) - 1;
    return library_begin;
}

unsigned
library_version(void)
{
    static const char name[] = "\nlocal VERSION = ";
    const char *at = strstr(library_begin, name);

    assert(at != NULL);
    return (unsigned)strtoul(at + sizeof(name) - 1, NULL, 10);
}

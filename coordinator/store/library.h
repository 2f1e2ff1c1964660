/*
 * The library of Redis Functions: the files of functions/, as they stood at
 * build time, joined.
 */
#ifndef COORDINATOR_STORE_LIBRARY_H
#define COORDINATOR_STORE_LIBRARY_H

#include <stddef.h>

/* Its text, not NUL-terminated. */
const char *library_text(size_t *ret_len);
/* Its VERSION: Redis is given it if its own library has a lower one. */
unsigned library_version(void);

#endif

/*
 * The status page's files, embedded in the program.
 */
#ifndef COORDINATOR_STATUS_ASSETS_H
#define COORDINATOR_STATUS_ASSETS_H

#include <stddef.h>

enum asset { ASSET_PAGE, ASSET_SCRIPT, ASSET_STYLE };

/* It ends with a NUL, which does not count. */
const char *asset_text(enum asset asset, size_t *ret_len);

#endif

/*
 * What the module's fuzzers share: an nginx that is far enough for its files.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "ngx_http_offload_sync.h"
#include "target.h"

#endif

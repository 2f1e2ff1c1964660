/*
 * What a node can send beyond what it sends now, as sites are told (`spare`,
 * doc/protocol.md section 4).  Pure.
 */
#ifndef COORDINATOR_SPARE_H
#define COORDINATOR_SPARE_H

#include <stdint.h>

#define SPARE_UNKNOWN 0
#define SPARE_MAX (1u << 24) /* KiB per second */

/*
 * rate: as registered, bytes per second, 0: unlimited, so nothing is known;
 * load: as heard, bytes per second; told: what was told before.  KiB per
 * second, a power of two from 1 on; another one than before only if what is
 * spare has left its octave by a quarter, so that a load on the edge of two is
 * no news.
 */
uint32_t spare_told(uint64_t rate, uint64_t load, uint32_t told);

#endif

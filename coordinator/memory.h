/*
 * Memory that was freed goes back to the system once a crowd has gone.
 */
#ifndef COORDINATOR_MEMORY_H
#define COORDINATOR_MEMORY_H

#include <uv.h>

#define MEMORY_TICK_MS 5000
#define MEMORY_SLACK (8u << 20) /* bytes that may lie about */

struct memory;

/* -ENOMEM */
int memory_start(uv_loop_t *loop, struct memory **ret);
/* The loop must run once more.  NULL is legal. */
void memory_stop(struct memory *memory);

#endif

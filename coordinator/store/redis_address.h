/*
 * The address of the host that Redis is on, looked up without waiting.
 */
#ifndef COORDINATOR_REDIS_ADDRESS_H
#define COORDINATOR_REDIS_ADDRESS_H

#include <uv.h>

struct redis_address; /* a look-up */

/* address: as text, for the call only; NULL: `why` not. */
typedef void redis_address_fn(void *arg, const char *address, const char *why);

/*
 * Finds the address number `which` of the host, counted round, so that one
 * after the other is tried.  Calls back later, once, or before it returns for
 * an address; *ret is set only in the first case.  0, or -errno without a call.
 */
int redis_address_find(uv_loop_t *loop, const char *host, unsigned which,
                       redis_address_fn *done, void *arg,
                       struct redis_address **ret);
/* It does not call back any more.  NULL is legal. */
void redis_address_cancel(struct redis_address *address);

#endif

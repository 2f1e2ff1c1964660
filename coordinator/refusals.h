/*
 * What is refused to whom: an address whose messages are refused again and
 * again is not listened to for a while, and one whose sites and nodes cannot be
 * called leaves most of these calls to others.
 *
 * Of this process; answers count (call.c), requests ask.
 */
#ifndef COORDINATOR_REFUSALS_H
#define COORDINATOR_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

#include "offload/netaddr.h"

/* The seed: random. */
void refusals_init(uint64_t seed);
/* A message of this address was answered with that status. */
void refusals_add(const struct ol_addr *from, int status, uint32_t now_s);
/* Whether a message of this address is looked at. */
bool refusals_allow(const struct ol_addr *from, uint32_t now_s);
/* Whether sites and nodes that it named could not be called, lately. */
bool refusals_called_in_vain(const struct ol_addr *from, uint32_t now_s);

#endif

/*
 * What its sites have withdrawn is not kept: a content that every coordinator
 * has released, or that is asked for while its manifest has expired, is asked
 * for at its sites.  If each of them gives no manifest for it, or one of other
 * bytes, and does so again some seconds later, the content is dropped.  A site
 * that cannot be asked changes nothing.
 *
 * Limits: WITHDRAWAL_SLOTS contents at a time, each after a pause.
 */
#ifndef NODE_WITHDRAWAL_H
#define NODE_WITHDRAWAL_H

#include "node/contents.h"

#define WITHDRAWAL_SLOTS 8

struct node;
struct withdrawals;

int withdrawals_create(struct node *node, struct withdrawals **ret);
/* Asks nobody any more; then run the loop once before withdrawals_free. */
void withdrawals_stop(struct withdrawals *withdrawals);
void withdrawals_free(struct withdrawals *withdrawals);

/* An open content is asked for. */
void withdrawal_requested(struct withdrawals *withdrawals,
                          struct content *content);

#endif

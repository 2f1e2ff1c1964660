/*
 * What nodes are owed for (doc/protocol.md section 8): what sites tell of
 * clients' receipts and what nodes claim is booked in the store, each exactly
 * once.
 */
#ifndef COORDINATOR_LEDGER_H
#define COORDINATOR_LEDGER_H

#include <stddef.h>
#include <stdint.h>

#include "coordinator/app.h"
#include "coordinator/nodes/message.h"
#include "coordinator/sites/sync_codec.h"

/* rc 0: all of it is in the store; else it is to be told again. */
typedef void ledger_done_fn(void *arg, int rc);

/*
 * What a node says it has served in this epoch of its own: at least one entry.
 * 0: done is called later, once; else it is not.
 */
int ledger_claim(struct app *app, const char *node,
                 const uint8_t epoch[MESSAGE_EPOCH],
                 const struct message_served *served, size_t count,
                 ledger_done_fn *done, void *arg);

struct ledger_source {
    const char *site, *iss;
    const uint8_t *epoch; /* the instance's, SYNC_EPOCH_BYTES */
};
/* The same for the accounts of one sync answer, at most SYNC_ANSWER_ACCOUNTS.
 */
int ledger_confirm(struct app *app, const struct ledger_source *from,
                   const struct sync_account *accounts, size_t count,
                   ledger_done_fn *done, void *arg);

#endif

/*
 * What the client tells the origin about its peers when it is done, once, for
 * a receipt that came with a manifest.
 */
#ifndef CLIENT_RECEIPT_H
#define CLIENT_RECEIPT_H

#include "client/report.h"
#include "client/session.h"
#include "offload/report.h"

#define RECEIPTS_MAX 4 /* of one download; beyond, the last one is replaced */

struct receipts {
    char iss[OL_URL_MAX + 1]; /* of the manifests that they came with */
    unsigned count;
    char text[RECEIPTS_MAX][OL_RECEIPT_MAX + 1];
};

/* One that came with a manifest of iss; "" is none.  Another iss: start over.
 */
void receipts_note(struct receipts *receipts, const char *iss,
                   const char *text);
void receipts_forget(struct receipts *receipts);

/*
 * Spends the receipt whose peers gave most.  Takes two seconds at most, and
 * leaves in report->told what came of it.
 */
void receipts_spend(const struct receipts *receipts, struct session *session,
                    struct report *report);

#endif

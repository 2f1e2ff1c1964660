/*
 * Tickets, against hot-linking of nodes: the query "e=<e>&s=<s>" of a content
 * URL, signed by the site over "offload-ticket\n<root hex>\n<e>".
 */
#ifndef OL_TICKET_H
#define OL_TICKET_H

#include <stddef.h>
#include <stdint.h>

#include "offload/content.h"
#include "offload/error.h"
#include "offload/key.h"

#define OL_TICKET_WINDOW_S 600
#define OL_TICKET_AHEAD_S 1260
#define OL_TICKET_MAX 120 /* characters of the query, with the NUL */

/* e = (floor(now / 600) + 2) * 600. */
int64_t ol_ticket_expiry(int64_t now);
int ol_ticket_sign(const struct ol_key *key, const uint8_t root[OL_HASH_BYTES],
                   int64_t e, char ret[OL_TICKET_MAX]);
/*
 * Form only: exactly e=..&s=.. (-EBADMSG else).  A ';' may stand for the '&',
 * for readers of XML who leave "&amp;" as it is.
 */
int ol_ticket_parse(const char *query, size_t len, int64_t *ret_e,
                    uint8_t ret_sig[OL_SIG_BYTES]);
/*
 * The query must be of that form.  -EBADMSG: form; -ETIME: past or more
 * than OL_TICKET_AHEAD_S ahead; -EKEYREJECTED: by none of the keys.
 */
int ol_ticket_check(const struct ol_keyset *keys,
                    const uint8_t root[OL_HASH_BYTES], const char *query,
                    size_t len, int64_t now, struct ol_error *err);

#endif

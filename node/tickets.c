/*
 * Tickets that were checked before (tickets.h).
 *
 * Owns: the memory of verdicts, good and bad.  Must not know requests.
 */
#include "node/tickets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "offload/ticket.h"

#define KEY_MAX (OL_ORIGIN_MAX + OL_HASH_BYTES + OL_TICKET_MAX)

struct verdict {
    uint8_t hash[OL_HASH_BYTES]; /* of site, root and query */
    uint64_t keys_ms;            /* the key set that it was checked with */
    bool known, good;
};

struct tickets {
    struct verdict kept[TICKETS_KEPT];
};

int
tickets_create(struct tickets **ret)
{
    *ret = calloc(1, sizeof(**ret));
    return *ret == NULL ? -ENOMEM : 0;
}

void
tickets_free(struct tickets *tickets)
{
    free(tickets);
}

static void
hash_of(const struct site *site, const uint8_t *root, const char *query,
        uint8_t ret[OL_HASH_BYTES])
{
    uint8_t text[KEY_MAX];
    size_t iss = strlen(site->iss) + 1, len = strlen(query);

    memcpy(text, site->iss, iss);
    memcpy(text + iss, root, OL_HASH_BYTES);
    memcpy(text + iss + OL_HASH_BYTES, query, len);
    ol_sha256(text, iss + OL_HASH_BYTES + len, ret);
}

bool
tickets_check(struct tickets *tickets, const struct site *site,
              const uint8_t root[OL_HASH_BYTES], const char *query, int64_t now)
{
    uint8_t hash[OL_HASH_BYTES], sig[OL_SIG_BYTES];
    struct verdict *verdict;
    uint32_t place;
    int64_t e;
    size_t len = strlen(query);

    if (len >= OL_TICKET_MAX || ol_ticket_parse(query, len, &e, sig) != 0 ||
        e < now || e - now > OL_TICKET_AHEAD_S)
        return false;
    hash_of(site, root, query, hash);
    memcpy(&place, hash, sizeof(place));
    verdict = &tickets->kept[place % TICKETS_KEPT];
    if (!verdict->known || verdict->keys_ms != site->keys_ms ||
        memcmp(verdict->hash, hash, sizeof(hash)) != 0) {
        memcpy(verdict->hash, hash, sizeof(hash));
        verdict->keys_ms = site->keys_ms;
        verdict->known = true;
        verdict->good =
            ol_ticket_check(&site->keys, root, query, len, now, NULL) == 0;
    }
    return verdict->good;
}

/*
 * The sites that have joined, and which of them this process pushes to: a
 * short lease in the store elects one process for each.
 */
#ifndef COORDINATOR_SITES_H
#define COORDINATOR_SITES_H

#include <stdbool.h>

#include "coordinator/app.h"
#include "coordinator/contents/contents.h"
#include "coordinator/nodes/nodes.h"
#include "offload/content.h"
#include "offload/encoding.h"

#define SITE_ID_CHARS OL_HEX_LEN(OL_HASH_BYTES)
#define SITES_TICK_MS 50
/* A site is looked at when something is due, and this often anyway. */
#define SITES_LOOK_MS 1000
/* The more sites a process pushes to, the longer its leases, so that renewing
 * them costs the store no more than some 150 writes a second. */
#define SITES_LEASE_MS 6000
#define SITES_LEASE_EACH_MS 12
#define SITES_LEASE_MAX_MS 30000
#define SITES_LEASES 64 /* asked for in one tick */
/* Documents under way; of sites that failed before, so that these never keep
 * others from being read. */
#define SITES_FETCHES 128
#define SITES_RETRIES 64
/* A site's keys and document are read again after this, or when they fail. */
#define SITES_DOCUMENT_MS 1800000
#define SITES_REFETCH_MS 60000
/* A process that cannot read it so often, or can, but is answered by no
 * instance for so long, leaves the site to others, and stays out for a while.
 */
#define SITES_FAILURES 3
#define SITES_SILENT_MS 60000
#define SITES_OUT_MS 60000
/* A site that neither joined nor synced for so long is forgotten. */
#define SITES_KEPT_S (7 * 86400)
/* An emptied store is noticed within STORE_POLL_MS: it has lost the sites, and
 * is told them again; they are not gone. */
#define SITES_GONE_MS 5000

/* Hex SHA-256 of the site's iss. */
void site_id(const char *iss, char ret[SITE_ID_CHARS + 1]);

int sites_create(struct app *app, struct sites **ret);
void sites_free(struct sites *sites);
bool sites_have_room(const struct sites *sites);

/* The store is up (again); fresh: it is told the sites that are known here. */
void sites_refresh(struct sites *sites, bool fresh);
/* It joined, perhaps at another process. */
void sites_load(struct sites *sites, const char *id);
void sites_held(struct sites *sites, const char *root);

/* One that this process pushes to, by a random number; false: there is none.
 * Pointers last until the next turn of the loop. */
struct sites_sample {
    const char *id, *iss;
    const struct contents *contents;
    const struct site_document *document; /* no keys: not read yet */
};
bool sites_sample(const struct sites *sites, uint32_t random,
                  struct sites_sample *ret);

void sites_node_changed(struct sites *sites, struct node *node);
/* All of them: cheaper than one by one. */
void sites_forget_nodes(struct sites *sites);
void sites_node_forget(struct sites *sites, struct node *node);

#endif

/*
 * What a site says of itself, under /.well-known/offload/: its keys, its
 * names, the tables of its contents.  All of it is asked at the origin of the
 * URL that the user gave, and nowhere else (a table may come from anywhere,
 * since the root commits to it).
 */
#ifndef CLIENT_SITE_H
#define CLIENT_SITE_H

#include <stdint.h>

#include "client/session.h"
#include "offload/key.h"
#include "offload/manifest.h"
#include "offload/origin.h"

struct site {
    struct ol_origin origin;
    struct ol_keyset keys; /* empty until asked */
};

enum outcome site_fetch_keys(struct session *session, struct site *site,
                             struct ol_error *err);
void site_clear(struct site *site);

/*
 * Whether iss is this site: the origin itself, or a name in its own signed
 * document, which must name the origin too.
 */
enum outcome site_check_iss(struct session *session, const struct site *site,
                            const char *iss, int64_t now, struct ol_error *err);

/* The table of a manifest's content, checked; the caller frees it. */
enum outcome site_fetch_table(struct session *session, const struct site *site,
                              const struct ol_manifest *manifest, uint8_t **ret,
                              struct ol_error *err);

#endif

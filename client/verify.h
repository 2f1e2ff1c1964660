/*
 * Whether a manifest may be believed: every check that a receiver makes, one
 * by one, each with its reason.  `get` wants all of them; `inspect` shows
 * them.
 */
#ifndef CLIENT_VERIFY_H
#define CLIENT_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/session.h"
#include "client/site.h"
#include "offload/jws.h"
#include "offload/manifest.h"

enum verify_check {
    VERIFY_FORM,      /* compact JWS, alg, typ, strict JSON */
    VERIFY_KEYS,      /* the site gave its keys */
    VERIFY_SIGNATURE, /* kid is one of them, the signature its */
    VERIFY_TIME,      /* iat, exp, by the origin's clock */
    VERIFY_FIELDS,    /* members, bounds */
    VERIFY_ISS,       /* is the site that was asked */
    VERIFY_SUB,       /* is the path that was asked for */
    VERIFY_CHECKS
};

enum verify_result { VERIFY_SKIPPED, VERIFY_OK, VERIFY_FAILED };

struct verdict {
    enum verify_result results[VERIFY_CHECKS];
    struct ol_error reasons[VERIFY_CHECKS]; /* of those that failed */
    enum outcome outcome; /* OUTCOME_OK only if every check was passed */
    struct ol_jws jws;
    bool has_jws;
    struct ol_manifest manifest;
    bool has_manifest; /* VERIFY_FIELDS was passed */
};

/* "form", "keys", ...: for people and for --json. */
const char *verify_name(enum verify_check check);

/*
 * token must outlive *ret; now: the origin's clock.  Fetches the site's keys
 * if it has none yet, and once more for an unknown kid.  The caller clears
 * *ret.
 */
void verify_manifest(struct session *session, struct site *site,
                     const char *url, const char *token, size_t len,
                     int64_t now, struct verdict *ret);
/* "manifest refused: <check>: <reason>" of the first that failed. */
void verdict_explain(const struct verdict *verdict, struct ol_error *err);
void verdict_clear(struct verdict *verdict);

#endif

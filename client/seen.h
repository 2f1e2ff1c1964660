/*
 * Which manifest of a file was the newest so far, over runs of the program: so
 * that nobody can hand out an older version again.
 */
#ifndef CLIENT_SEEN_H
#define CLIENT_SEEN_H

#include <stddef.h>
#include <stdint.h>

#include "offload/error.h"
#include "offload/manifest.h"

/*
 * Remembers this manifest, whose keys are from that origin: what one site says
 * of another's files must not count for that other.  -ESTALE: one with a later
 * iat and another root was seen before.  Any other failure: it could not be
 * remembered (err says why), which is no reason not to download.
 */
int seen_note(const char *origin, const struct ol_manifest *manifest,
              struct ol_error *err);

/*
 * The pure part: text is the list so far, *ret (free()) the new one, NULL if
 * nothing changes.  Lines are "key iat root", the latest at the end.
 */
#define SEEN_LINES 1024
int seen_merge(const char *text, const char *key, int64_t iat, const char *root,
               char **ret, struct ol_error *err);

#endif

/*
 * Who may help, as the operator chooses: everyone, nodes on his list, or those
 * that he has invited too.  Follows the files while the process runs.
 */
#ifndef COORDINATOR_ADMISSION_H
#define COORDINATOR_ADMISSION_H

#include <stdbool.h>

#include "coordinator/nodes/admission_list.h"
#include "coordinator/options.h"

#define ADMISSION_REFRESH_MS 2000 /* how often the files are looked at */

struct admission;

/* Borrows the options.  -errno: err says which file, which line and why. */
int admission_create(const struct options *options, struct admission **ret,
                     struct ol_error *err);
void admission_free(struct admission *admission); /* NULL is legal */
/* Reads again what has changed; whether the answers below may be others now.
 * A file that is wrong changes nothing, and the log says why. */
bool admission_refresh(struct admission *admission);

/* What the operator's list says of the node, or NULL. */
const struct admission_node *admission_listed(const struct admission *admission,
                                              const char *id);
/* invited: it once came by an invitation, which admits it for good. */
bool admission_admits(const struct admission *admission, const char *id,
                      bool invited);
/* NULL: it is not good (any more), or none is wanted. */
const struct admission_token *
admission_invitation(const struct admission *admission, const char *token,
                     int64_t now_s);
/* Why a node is not admitted, for its operator. */
const char *admission_refusal(const struct admission *admission,
                              const char *token);

#endif

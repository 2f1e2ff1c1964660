/*
 * One assignment of a coordinator: {iss, sub, root, size, salt, heat, nodes}
 * (doc/protocol.md section 5), and the form in which the store keeps it: the
 * same, with the URLs of the coordinators that it came from, and the other
 * sites whose manifest names the same content.  Immutable once made, shared by
 * reference within the loop's thread.
 */
#ifndef NODE_ASSIGNMENT_H
#define NODE_ASSIGNMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "offload/content.h"
#include "offload/error.h"
#include "offload/rendezvous.h"

#define ASSIGNMENT_COORDINATORS 16
#define ASSIGNMENT_HEAT_MAX 63
#define ASSIGNMENT_OTHERS 3 /* sites beside the first one */

struct assignment_source { /* a file at a site */
    const char *iss, *sub;
};

struct assignment {
    unsigned refs;
    const char *iss, *sub; /* these and the URLs: borrowed from json */
    uint8_t root[OL_HASH_BYTES];
    uint64_t size;
    uint8_t salt[OL_SALT_BYTES];
    uint64_t heat; /* log2 of the requests per hour, about */
    size_t count;  /* of nodes */
    uint8_t ids[OL_OWNERS_MAX][32];
    const char *urls[OL_OWNERS_MAX];
    size_t coordinator_count; /* only in the stored form */
    const char *coordinators[ASSIGNMENT_COORDINATORS];
    size_t other_count; /* the same: no coordinator can say them */
    struct assignment_source others[ASSIGNMENT_OTHERS];
    json_t *json;
};

/* Checks every member.  The caller has one reference. */
int assignment_from_json(json_t *entry, struct assignment **ret,
                         struct ol_error *err);
struct assignment *assignment_ref(struct assignment *a);
void assignment_unref(struct assignment *a); /* NULL is legal */

/* Whether nodes, salt, iss and sub are the same. */
bool assignment_equal(const struct assignment *a, const struct assignment *b);

/* Whether it is this file, of the first site; or of that or another one. */
bool assignment_is_from(const struct assignment *a, const char *iss,
                        const char *sub);
bool assignment_knows(const struct assignment *a, const char *iss,
                      const char *sub);
/*
 * New ones: with one more source at the end (-ENOSPC: it has all it can); with
 * the next source first, and the first one last or gone (-ENOENT: it has only
 * one); with the other sources of old.
 */
int assignment_add(const struct assignment *a, const char *iss, const char *sub,
                   struct assignment **ret);
int assignment_next(const struct assignment *a, bool keep,
                    struct assignment **ret);
int assignment_inherit(const struct assignment *a, const struct assignment *old,
                       struct assignment **ret);

/* The stored form as text (free()), NULL without memory; reads it again. */
char *assignment_dump(const struct assignment *a,
                      const char *const *coordinators, size_t count);
int assignment_parse(const char *text, size_t len, struct assignment **ret,
                     struct ol_error *err);

#endif

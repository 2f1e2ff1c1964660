/*
 * Names of sites and of what is on them: the origin (RFC 6454: scheme, host,
 * port) and the subject, a path in the one form that everybody compares.
 */
#ifndef OL_ORIGIN_H
#define OL_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "offload/error.h"

#define OL_ORIGIN_MAX 300 /* with the NUL */

struct ol_origin {
    char text[OL_ORIGIN_MAX]; /* canonical: lower case, no default port */
    char host[256];           /* without brackets if IPv6 */
    uint16_t port;
    bool https;
    size_t consumed; /* characters of the URL up to its path */
};

/*
 * The origin of an http or https URL.  -EINVAL: another scheme, user
 * information, empty or malformed host, port outside 1..65535, blanks or
 * control characters.  The rest of the URL starts at url + consumed.
 */
int ol_origin_parse(const char *url, size_t len, struct ol_origin *ret,
                    struct ol_error *err);

/* As above, and nothing may follow but one slash: "https://example.org/". */
int ol_origin_parse_bare(const char *url, size_t len, struct ol_origin *ret,
                         struct ol_error *err);

/* Ports that foreign URLs may name: 80, 443, 1024 and above. */
bool ol_origin_port_ok(const struct ol_origin *origin);

/*
 * The subject of a raw request path (up to '?' or '#'): percent-decoded once,
 * dot segments resolved, slashes merged.  Writes at most cap bytes with the
 * NUL.  -EINVAL: not absolute, bad escape, above the root, control character,
 * not UTF-8; -ENAMETOOLONG.
 */
int ol_subject_normalise(const char *path, size_t len, char *dst, size_t cap,
                         size_t *ret_len);

/*
 * The URL path of a subject: all but unreserved characters, '/' and
 * "!$&'()*+,;=:@" percent-encoded in upper case (RFC 3986).  cap: 3 * len + 1
 * is enough.  Returns the length, without the NUL, or -ENAMETOOLONG.
 */
int ol_subject_encode(const char *sub, size_t len, char *dst, size_t cap);

/* A file's name without folders: not empty, no slash, not "." or "..". */
bool ol_basename_ok(const char *name);

#endif

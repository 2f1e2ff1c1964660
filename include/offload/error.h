/*
 * The reason for a failure, in words for a person.
 *
 * Library functions return 0 or -errno and never log.  Those that can fail for
 * several reasons also take a struct ol_error *, which may be NULL, and fill
 * it with one sentence without a final full stop: what was wrong and where.
 */
#ifndef OL_ERROR_H
#define OL_ERROR_H

struct ol_error {
    char text[256]; /* NUL-terminated, printable ASCII, cut if too long */
};

/*
 * Writes the text (if err is not NULL) and returns -code, so that callers can
 * say: return ol_error_set(err, EBADMSG, "kid: %zu characters, not 43", n);
 * Bytes outside printable ASCII become '?': the text may quote hostile input.
 */
int ol_error_set(struct ol_error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif

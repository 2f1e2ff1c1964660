/*
 * A text that is written with stdio into memory of its own, however long it
 * gets; what is written is bounded by whoever writes it.
 */
#ifndef OL_TEXT_H
#define OL_TEXT_H

#include <stddef.h>
#include <stdio.h>

struct ol_text {
    FILE *out; /* to be written to */
    char *data;
    size_t len;
};

/* -ENOMEM.  The struct has to stay where it is until it is closed. */
int ol_text_open(struct ol_text *text);

/*
 * All that was written, with a NUL behind it, which is the caller's to free.
 * -ENOMEM, also if anything before failed: nothing is left then.
 */
int ol_text_close(struct ol_text *text, char **data, size_t *len);

/*
 * Writes at most max bytes of the text as XML and HTML want it, in elements and
 * in attributes in double quotes.
 */
void ol_text_escape(FILE *out, const char *text, size_t max);

#endif

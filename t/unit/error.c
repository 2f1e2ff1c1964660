/*
 * Error texts: whatever is quoted, what comes out is printable ASCII and fits.
 */
#include "../../lib/error.c"

#include <errno.h>

#include "tap.h"

int
main(void)
{
    struct ol_error err;
    char every[256], longer[1000];
    bool printable = true;

    is_int(ol_error_set(NULL, EINVAL, "x"), -EINVAL, "no place for a text");
    is_int(ol_error_set(&err, EBADMSG, "kid: %d, not %s", 4, "43"), -EBADMSG,
           "returns -code");
    is_str(err.text, "kid: 4, not 43", "the text");

    for (int i = 0; i < 255; i++)
        every[i] = (char)(i + 1);
    every[255] = '\0';
    ol_error_set(&err, EINVAL, "%s", every);
    is_int(strlen(err.text), 255, "255 bytes fit");
    for (const char *p = err.text; *p != '\0'; p++)
        printable = printable && *p >= 0x20 && *p <= 0x7e;
    ok(printable, "every byte value comes out printable");
    has_str(err.text, "?? !\"#", "as a question mark, the others as they are");

    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    ol_error_set(&err, EINVAL, "%s", longer);
    is_int(strlen(err.text), sizeof(err.text) - 1, "longer ones are cut");
    return tap_done();
}

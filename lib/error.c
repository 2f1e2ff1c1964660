/*
 * The text of a failure.  Owns: how it is cut and cleaned, so that quoted
 * hostile input never reaches a terminal or a log as it came.
 */
#include "offload/error.h"

#include <stdarg.h>
#include <stdio.h>

int
ol_error_set(struct ol_error *err, int code, const char *fmt, ...)
{
    va_list args;

    if (err == NULL)
        return -code;

    va_start(args, fmt);
    if (vsnprintf(err->text, sizeof(err->text), fmt, args) < 0)
        err->text[0] = '\0';
    va_end(args);

    for (char *p = err->text; *p != '\0'; p++) {
        if (*p < 0x20 || *p > 0x7e)
            *p = '?';
    }
    return -code;
}

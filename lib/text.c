/*
 * Texts in memory, by open_memstream(3).  Owns: that a text is whole or is not
 * given at all; escaping for XML and HTML.  Knows nothing of what is in it.
 */
#include "offload/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

int
ol_text_open(struct ol_text *text)
{
    text->out = open_memstream(&text->data, &text->len);
    return text->out != NULL ? 0 : -ENOMEM;
}

int
ol_text_close(struct ol_text *text, char **data, size_t *len)
{
    bool bad = ferror(text->out) != 0;

    if (fclose(text->out) != 0 || bad) {
        free(text->data);
        return -ENOMEM;
    }
    *data = text->data;
    *len = text->len;
    return 0;
}

void
ol_text_escape(FILE *out, const char *text, size_t max)
{
    for (size_t i = 0; i < max && text[i] != '\0'; i++) {
        switch (text[i]) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(text[i], out);
        }
    }
}

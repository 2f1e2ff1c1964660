/*
 * Texts in memory: all of them, with the NUL.
 */
#include "../../lib/text.c"

#include <string.h>

#include "tap.h"

static void
test_whole(void)
{
    struct ol_text text;
    char *data = NULL;
    size_t len = 0;

    must(ol_text_open(&text) == 0);
    for (int i = 0; i < 100000; i++)
        fprintf(text.out, "%05d", i);
    fputc('\0', text.out);
    must(ol_text_close(&text, &data, &len) == 0);
    is_int(len, 500001, "all that was written");
    ok(memcmp(data + 499995, "99999\0", 7) == 0, "with a NUL behind it");
    free(data);
}

static void
test_empty(void)
{
    struct ol_text text;
    char *data = NULL;
    size_t len = 1;

    must(ol_text_open(&text) == 0);
    must(ol_text_close(&text, &data, &len) == 0);
    is_int(len, 0, "nothing");
    ok(data != NULL && data[0] == '\0', "is a text, too");
    free(data);
}

int
main(void)
{
    test_whole();
    test_empty();
    return tap_done();
}

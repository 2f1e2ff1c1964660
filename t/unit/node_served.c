/* What was sent, by site, and what of it each coordinator has been told. */
#include "node/served.c"

#include <stdio.h>

#include "tap.h"

static const uint8_t epoch[SERVED_EPOCH_BYTES] = {1, 2, 3};
static struct served_report report;

/* What is told now, as text; the caller frees it. */
static char *
told(struct served *served, unsigned link, bool again)
{
    json_t *message = json_object();
    char *text;

    served_fill(served, link, again, &report, message);
    text = json_dumps(message, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(message);
    return text;
}

static void
tells(struct served *served, unsigned link, bool again, const char *want,
      const char *name)
{
    char *text = told(served, link, again);

    is_str(text, want, "%s", name);
    free(text);
}

#define A_10                                                                   \
    "{\"epoch\":\"AQIDAAAAAAAAAAAAAAAAAA\",\"served\":[{\"bytes\":10,"         \
    "\"iss\":\"https://a\"}]}"
#define A_15                                                                   \
    "{\"epoch\":\"AQIDAAAAAAAAAAAAAAAAAA\",\"served\":[{\"bytes\":15,"         \
    "\"iss\":\"https://a\"}]}"

static void
test_told(void)
{
    struct served_report late;
    struct served *served;
    uint32_t a;

    served_create(epoch, &served);
    tells(served, 0, true, "{}", "nothing was served: nothing is said");
    a = served_place(served, "https://a");
    is_int(served_place(served, "https://a"), a, "a site has one place");
    tells(served, 0, false, "{}", "a site that got nothing is not told");
    served_add(served, a, 10);
    tells(served, 0, false, A_10, "what was sent is told");
    tells(served, 0, false, A_10, "as long as nobody heard it");
    late = report;
    served_heard(served, 0, &report);
    tells(served, 0, false, "{}", "then no more");
    tells(served, 1, false, A_10, "but to the next coordinator");
    served_add(served, a, 5);
    tells(served, 0, false, A_15, "more is told as the sum");
    served_heard(served, 0, &report);
    served_heard(served, 0, &late);
    tells(served, 0, false, "{}", "an answer that comes late undoes nothing");
    tells(served, 0, true, A_15, "in turn it is told again");
    served_heard(served, 0, &report);
    served_forget(served, 0);
    tells(served, 0, false, A_15, "another store is told all");
    served_add(served, a, UINT64_MAX);
    served_add(served, a, UINT64_MAX);
    is_int((long long)served->sums[a].bytes, (1LL << 53) - 1,
           "sums are what JSON can say");
    served_add(served, SERVED_NONE, 1);
    served_free(served);
}

static void
test_many(void)
{
    struct served *served;
    char iss[32];
    uint32_t last = 0;
    size_t heard = 0;

    served_create(epoch, &served);
    for (int i = 0; i <= SERVED_SITES; i++) {
        snprintf(iss, sizeof(iss), "https://%d", i);
        last = served_place(served, iss);
        served_add(served, last, 1);
    }
    ok(last == SERVED_NONE, "not more than %d sites", SERVED_SITES);
    for (int i = 0; i < SERVED_SITES / SERVED_ENTRIES; i++) {
        free(told(served, 3, false));
        heard += report.count;
        served_heard(served, 3, &report);
    }
    is_int((long long)heard, SERVED_SITES, "all are told, %d at a time",
           SERVED_ENTRIES);
    tells(served, 3, false, "{}", "each once");
    served_add(served, 0, 1);
    served_add(served, SERVED_SITES - 1, 1);
    free(told(served, 3, false));
    is_int((long long)report.count, 2, "then what has changed");
    served_free(served);
}

int
main(void)
{
    test_told();
    test_many();
    return tap_done();
}

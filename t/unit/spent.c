/* A counter is spent once, as long as it is among the last ones given. */
#include "../../lib/spent.c"

#include <stdbool.h>
#include <stdlib.h>

#include "tap.h"

#define SIZE 64

static uint8_t bits[SIZE / 8];

static int
add(struct ol_spent *spent, uint32_t given, uint32_t counter)
{
    return ol_spent_add(spent, given, counter);
}

/* From `first` on, which may be shortly before 2^32. */
static void
test_window(uint32_t first, const char *where)
{
    struct ol_spent spent = {bits, SIZE, first};

    memset(bits, 0xff, sizeof(bits)); /* of older ones */
    is_int(add(&spent, first, first), -EEXIST, "%s: not given yet", where);
    is_int(add(&spent, first + 1, first), 0, "%s: the first", where);
    is_int(add(&spent, first + 1, first), -EEXIST, "%s: once", where);
    is_int(add(&spent, first + 10, first + 9), 0, "%s: the last", where);
    is_int(add(&spent, first + 10, first + 3), 0, "%s: in between", where);
    is_int(add(&spent, first + 10, first + 3), -EEXIST, "%s: once", where);
    is_int(add(&spent, first + SIZE, first), -EEXIST, "%s: still known", where);
    is_int(add(&spent, first + SIZE, first + 1), 0, "%s: the oldest but one",
           where);
    is_int(add(&spent, first + SIZE + 1, first), -EEXIST, "%s: too old", where);
    is_int(add(&spent, first + SIZE + 1, first + SIZE), 0,
           "%s: has the bit of the first", where);
    is_int(add(&spent, first + SIZE + 10, first + 9), -EEXIST,
           "%s: older than the window", where);
    is_int(add(&spent, first + SIZE + 10, first + SIZE + 9), 0,
           "%s: has its bit", where);
    is_int(add(&spent, first + SIZE + 10, first - 1), -EEXIST,
           "%s: from before", where);
}

/* Against a list of all that were ever spent. */
static void
test_random(void)
{
    static bool known[20000];
    struct ol_spent spent = {bits, SIZE, UINT32_MAX - 9999};
    uint32_t first = spent.cleared, given = 0;
    unsigned wrong = 0, taken = 0;

    srand(1);
    memset(bits, 0, sizeof(bits));
    while (given < 19900) {
        uint32_t back = 1 + (uint32_t)rand() % (SIZE + 8);

        given +=
            rand() % 100 == 0 ? (uint32_t)rand() % 100 : (uint32_t)rand() % 4;
        if (back > given)
            continue;
        bool good = back <= SIZE && !known[given - back];
        int rc = add(&spent, first + given, first + given - back);

        wrong += (rc == 0) != good;
        taken += rc == 0;
        known[given - back] |= rc == 0;
    }
    is_int(wrong, 0, "right in all cases");
    ok(taken > 1000, "of which many were good (%u)", taken);
}

int
main(void)
{
    test_window(0, "from 0");
    test_window(12345, "anywhere");
    test_window(UINT32_MAX - 4, "over the end of the numbers");
    test_window(UINT32_MAX - SIZE, "the window over the end");
    test_random();
    return tap_done();
}

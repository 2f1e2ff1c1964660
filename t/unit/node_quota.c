/* The disk budget: what fits, and who goes first. */
#include "node/quota.c"

#include "tap.h"

static struct quota quota;
static struct quota_item a, b, c;

static void
setup(void)
{
    a = b = c = (struct quota_item){.bytes = 10};
    quota_init(&quota, 100);
    quota_insert(&quota, &a);
    quota_insert(&quota, &b);
    quota_insert(&quota, &c);
}

static void
test_budget(void)
{
    setup();
    is_int(quota_free(&quota), 70, "what items start with is counted");
    ok(quota_reserve(&quota, &a, 70), "all that is left can be reserved");
    ok(!quota_reserve(&quota, &b, 1), "not one byte more");
    quota_return(&quota, &a, 30);
    is_int(quota_free(&quota), 30, "what is returned is free again");
    quota_remove(&quota, &a);
    is_int(quota_free(&quota), 80, "a removed item frees all that it had");
    ok(!quota_reserve(&quota, &b, UINT64_MAX), "huge sizes do not wrap");
    quota.limit = 5;
    is_int(quota_free(&quota), 0, "over the budget is not below zero");
}

static void
test_order(void)
{
    setup();
    ok(quota_victim(&quota, false) == NULL, "nothing is released: nobody goes");
    ok(quota_victim(&quota, true) == &a, "the least recently used goes first");
    a.users = 1;
    ok(quota_victim(&quota, true) == &b, "never what is in use");
    a.users = 0;

    setup();
    quota_touch(&quota, &a);
    ok(quota_victim(&quota, true) == &b, "a request makes it recent");
    quota_set_released(&quota, &c, true);
    ok(quota_victim(&quota, true) == &c, "what is released goes before all");
    ok(quota_victim(&quota, false) == &c, "and without need, too");
    c.users = 1;
    ok(quota_victim(&quota, false) == NULL, "but not while it is in use");
    c.users = 0;
    quota_set_released(&quota, &c, false);
    ok(quota_victim(&quota, true) == &b, "assigned again it is the latest");
}

static void
test_demand(void)
{
    setup();
    for (int i = 0; i < 1000; i++)
        quota_touch(&quota, &a);
    is_int(a.demand, QUOTA_DEMAND_MAX, "demand is bounded");
    quota_touch(&quota, &b);
    ok(quota_victim(&quota, true) == &c, "unasked for goes first");
    quota_remove(&quota, &c);
    ok(quota_victim(&quota, true) == &b, "then what is less asked for");
    a.users = b.users = 1;
    ok(quota_victim(&quota, true) == NULL, "all in use: the search ends");
}

int
main(void)
{
    test_budget();
    test_order();
    test_demand();
    return tap_done();
}

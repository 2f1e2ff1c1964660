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
    is_int(quota_room(&quota), 0, "nor is there room");

    setup();
    quota_set_released(&quota, &a, true);
    is_int(quota_room(&quota), 70 + (int)a.bytes, "what is released is room");
    ok(quota_reserve(&quota, &a, 20), "even while it grows");
    is_int(quota_room(&quota), 50 + (int)a.bytes, "as much of it");
    quota_set_released(&quota, &a, false);
    is_int(quota_room(&quota), quota_free(&quota), "until it is kept again");
    quota_set_released(&quota, &a, true);
    quota_remove(&quota, &a);
    is_int(quota_room(&quota), quota_free(&quota), "or gone");
}

static void
test_order(void)
{
    setup();
    ok(quota_victim(&quota, -1) == NULL, "nothing is released: nobody goes");
    ok(quota_victim(&quota, 0) == &a, "the least recently used goes first");
    a.users = 1;
    ok(quota_victim(&quota, 0) == &b, "never what is in use");
    a.users = 0;

    setup();
    quota_touch(&quota, &a);
    ok(quota_victim(&quota, 0) == &b, "a request makes it recent");
    quota_set_released(&quota, &c, true);
    ok(quota_victim(&quota, 0) == &c, "what is released goes before all");
    ok(quota_victim(&quota, -1) == &c, "and without need, too");
    c.users = 1;
    ok(quota_victim(&quota, -1) == NULL, "but not while it is in use");
    c.users = 0;
    quota_set_released(&quota, &c, false);
    ok(quota_victim(&quota, 0) == &b, "assigned again it is the latest");
}

static void
test_demand(void)
{
    setup();
    for (int i = 0; i < 1000; i++)
        quota_touch(&quota, &a);
    is_int(a.demand, QUOTA_DEMAND_MAX, "demand is bounded");
    quota_touch(&quota, &b);
    ok(quota_victim(&quota, 0) == &c, "unasked for goes first");
    quota_remove(&quota, &c);
    ok(quota_victim(&quota, 0) == &b, "then what is less asked for");
    a.users = b.users = 1;
    ok(quota_victim(&quota, 0) == NULL, "all in use: the search ends");
}

static void
test_heat(void)
{
    setup();
    quota_set_heat(&quota, &a, 5);
    quota_set_heat(&quota, &b, 1);
    for (int i = 0; i < 200; i++)
        quota_touch(&quota, &c);
    ok(quota_victim(&quota, QUOTA_HEATS) == &c, "what is cold goes first, "
                                                "however often asked for here");
    c.users = 1;
    ok(quota_victim(&quota, 0) == NULL, "nothing hotter goes for what is cold");
    ok(quota_victim(&quota, 1) == &b, "what is as hot does");
    ok(quota_victim(&quota, QUOTA_HEATS) == &b, "and before what is hotter");
    quota_set_heat(&quota, &b, 63);
    is_int(b.heat, QUOTA_HEATS - 1, "heat is bounded");
    ok(quota_victim(&quota, QUOTA_HEATS) == &a, "heat may change");
    quota_set_released(&quota, &b, true);
    ok(quota_victim(&quota, 5) == &b, "released, it goes first all the same");
}

/* More than can be looked at, all asked for, and one that is hot. */
static void
test_many(void)
{
    static struct quota_item many[2 * VICTIM_STEPS];
    struct quota_item hot = {.bytes = 1, .heat = 9}, *victim;

    quota_init(&quota, 10000);
    quota_insert(&quota, &hot);
    for (size_t i = 0; i < 2 * VICTIM_STEPS; i++) {
        many[i] = (struct quota_item){.bytes = 1, .demand = 100};
        quota_insert(&quota, &many[i]);
    }
    many[7].demand = 50;
    victim = quota_victim(&quota, QUOTA_HEATS);
    ok(victim == &many[7], "too many: the least asked for of those seen");
}

int
main(void)
{
    test_budget();
    test_order();
    test_demand();
    test_heat();
    test_many();
    return tap_done();
}

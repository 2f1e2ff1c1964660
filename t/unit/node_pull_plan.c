/* From whom a missing piece is fetched: owners, origin, failures, hops. */
#include "node/pull_plan.c"

#include "tap.h"

#define NODES 5

static const uint8_t salt[OL_SALT_BYTES] = "salt", root[32] = "root";
static uint8_t ids[OL_OWNERS_MAX][32];
static uint8_t stranger[32] = "stranger";

static struct pull_facts
facts_of(const uint8_t *self, uint32_t index)
{
    return (struct pull_facts){.salt = salt,
                               .root = root,
                               .index = index,
                               .ids = (const uint8_t(*)[32])ids,
                               .count = NODES,
                               .self = self,
                               .origin = true};
}

static size_t
place_of(const uint8_t *plan, size_t len, uint8_t what)
{
    for (size_t i = 0; i < len; i++)
        if (plan[i] == what)
            return i;
    return len;
}

/* Each piece has one owner, and only it begins with the origin. */
static void
test_owner(void)
{
    unsigned wrong = 0, owned[NODES] = {0};

    for (uint32_t index = 0; index < 1000; index++) {
        uint8_t order[OL_OWNERS_MAX], plan[PULL_PLAN_MAX];

        ol_owner_order(salt, root, index, (const uint8_t(*)[32])ids, NODES,
                       order);
        owned[order[0]]++;
        for (uint8_t i = 0; i < NODES; i++) {
            struct pull_facts facts = facts_of(ids[i], index);
            size_t len = pull_plan(&facts, plan);
            bool owner = i == order[0];

            if (pull_owns(&facts) != owner || len != NODES ||
                plan[0] != (owner ? PULL_ORIGIN : order[0]) ||
                place_of(plan, len, PULL_ORIGIN) == len ||
                place_of(plan, len, i) != len)
                wrong++;
        }
    }
    is_int(wrong, 0, "only the owner asks the origin, the others ask it");
    for (int i = 0; i < NODES; i++)
        ok(owned[i] > 120 && owned[i] < 280, "node %d owns %u of 1000", i,
           owned[i]);
}

static void
test_stranger(void)
{
    struct pull_facts facts = facts_of(stranger, 7);
    uint8_t plan[PULL_PLAN_MAX], order[OL_OWNERS_MAX];
    size_t len = pull_plan(&facts, plan);

    ol_owner_order(salt, root, 7, (const uint8_t(*)[32])ids, NODES, order);
    is_int(len, NODES + 1, "not in the list: all nodes and the origin");
    is_mem(plan, order, PULL_NODES_BEFORE, "the first owners come first");
    is_int(plan[PULL_NODES_BEFORE], PULL_ORIGIN, "then the origin");
    facts.count = 0;
    len = pull_plan(&facts, plan);
    ok(len == 1 && plan[0] == PULL_ORIGIN, "no nodes: the origin");
    facts.origin = false;
    is_int(pull_plan(&facts, plan), 0, "and without it nobody");
}

static void
test_failures(void)
{
    struct pull_facts facts = facts_of(stranger, 7);
    uint8_t plan[PULL_PLAN_MAX], order[OL_OWNERS_MAX];
    size_t len;

    ol_owner_order(salt, root, 7, (const uint8_t(*)[32])ids, NODES, order);
    facts.avoid = UINT64_C(1) << order[0];
    len = pull_plan(&facts, plan);
    is_int(plan[0], order[1], "who gave wrong bytes is passed over");
    is_int(place_of(plan, len, order[0]), len, "and not asked at all");

    facts.avoid = 0;
    facts.slow = UINT64_C(1) << order[0];
    len = pull_plan(&facts, plan);
    is_int(plan[0], order[1], "who failed lately is not asked first");
    ok(place_of(plan, len, order[0]) > place_of(plan, len, PULL_ORIGIN),
       "but still after the origin");

    facts.slow = UINT64_MAX;
    len = pull_plan(&facts, plan);
    is_int(plan[0], PULL_ORIGIN, "all failed: the origin first");
    is_int(len, NODES + 1, "and then all again");

    facts.slow = 0;
    facts.origin = false;
    len = pull_plan(&facts, plan);
    is_int(len, NODES, "an origin that is away is left out");
    is_int(place_of(plan, len, PULL_ORIGIN), len, "really");
}

static void
test_hop(void)
{
    struct pull_facts facts = facts_of(ids[0], 7);
    uint8_t plan[PULL_PLAN_MAX];

    facts.hop = true;
    ok(pull_plan(&facts, plan) == 1 && plan[0] == PULL_ORIGIN,
       "for another node only the origin is asked");
    facts.origin = false;
    is_int(pull_plan(&facts, plan), 0, "and no third");
}

static void
test_patient(void)
{
    uint8_t plan[PULL_PLAN_MAX], order[OL_OWNERS_MAX];
    struct pull_facts facts;

    ol_owner_order(salt, root, 7, (const uint8_t(*)[32])ids, NODES, order);
    facts = facts_of(ids[order[1]], 7);
    facts.patient = true;
    ok(pull_plan(&facts, plan) == 1 && plan[0] == order[0],
       "nobody waits: only the owner is asked");
    facts.slow = UINT64_C(1) << order[0];
    is_int(pull_plan(&facts, plan), 0, "or nobody, if it failed lately");
    facts.avoid = UINT64_C(1) << order[0];
    ok(pull_plan(&facts, plan) == 1 && plan[0] == PULL_ORIGIN,
       "who gave wrong bytes is no owner any more");
    facts = facts_of(ids[order[0]], 7);
    facts.patient = true;
    ok(pull_plan(&facts, plan) == 1 && plan[0] == PULL_ORIGIN,
       "the owner asks the origin");
    facts.count = 0;
    ok(pull_plan(&facts, plan) == 1 && plan[0] == PULL_ORIGIN,
       "as does a node that is alone");
}

static void
test_many(void)
{
    struct pull_facts facts = facts_of(ids[63], 3);
    uint8_t plan[PULL_PLAN_MAX];

    facts.count = OL_OWNERS_MAX;
    ok(pull_plan(&facts, plan) <= PULL_PLAN_MAX, "64 nodes fit");
    facts.slow = UINT64_MAX;
    is_int(pull_plan(&facts, plan), OL_OWNERS_MAX, "each of them once");
}

int
main(void)
{
    for (size_t i = 0; i < OL_OWNERS_MAX; i++)
        ol_sha256(&i, sizeof(i), ids[i]);
    test_owner();
    test_stranger();
    test_failures();
    test_hop();
    test_patient();
    test_many();
    return tap_done();
}

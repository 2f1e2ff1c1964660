/*
 * Which piece an audit asks for: any that the node says it has, none else.
 */
#include "../../coordinator/nodes/audit_probe.c"

#include "tap.h"

int
main(void)
{
    struct ol_bitmap b;
    unsigned seen[12] = {0}, wrong = 0;

    must(ol_bitmap_init(&b, 12) == 0);
    is_int(audit_pick(&b, 12, 5), UINT32_MAX, "it has none");
    is_int(audit_pick(NULL, 0, 5), UINT32_MAX, "there is none");
    is_int(audit_pick(NULL, 12, 29), 5, "it has all");
    ol_bitmap_put(&b, 0, true);
    ol_bitmap_put(&b, 7, true);
    ol_bitmap_put(&b, 11, true);
    for (uint32_t random = 0; random < 3000; random++) {
        uint32_t piece = audit_pick(&b, 12, random * 2654435761u);

        wrong += piece >= 12 || !ol_bitmap_get(&b, piece);
        seen[piece < 12 ? piece : 0]++;
    }
    is_int(wrong, 0, "never one that it lacks");
    ok(seen[0] > 900 && seen[7] > 900 && seen[11] > 900, "each as often");
    is_int(audit_pick(&b, 12, UINT32_MAX), 0, "the largest number");
    ol_bitmap_clear(&b);
    return tap_done();
}

/* Nodes that sent wrong bytes: told to each coordinator, once an hour. */
#include "node/wrong.c"

#include <stdlib.h>

#include "tap.h"

static struct wrong wrong;
static struct wrong_report report;

static void
tells(unsigned link, size_t want, const char *name)
{
    json_t *message = json_object();

    wrong_fill(&wrong, link, &report, message);
    is_int((long long)json_array_size(json_object_get(message, "wrong")),
           (long long)want, "%s", name);
    json_decref(message);
}

int
main(void)
{
    uint8_t id[WRONG_ID_BYTES] = {1}, root[OL_HASH_BYTES] = {2};
    json_t *message = json_object();
    char *text;

    tells(0, 0, "nothing is wrong");
    ok(wrong_add(&wrong, id, root, 1000), "a node lied");
    ok(!wrong_add(&wrong, id, root, 1000 + WRONG_AGAIN_MS - 1),
       "again within the hour: no news");
    wrong_fill(&wrong, 0, &report, message);
    text = json_dumps(message, JSON_COMPACT | JSON_SORT_KEYS);
    is_str(text,
           "{\"wrong\":[{\"id\":\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""
           ",\"root\":\"0200000000000000000000000000000000000000000000000000000"
           "000000000\"}]}",
           "it is told");
    free(text);
    json_decref(message);
    tells(0, 0, "once");
    report.count = 1;
    memcpy(report.ids[0], id, sizeof(id));
    memcpy(report.roots[0], root, sizeof(root));
    wrong_undo(&wrong, 0, &report);
    tells(0, 1, "again if it was not heard");
    ok(wrong_pending(&wrong, 1) && !wrong_pending(&wrong, 0),
       "by each coordinator for itself");
    ok(wrong_add(&wrong, id, root, 1000 + WRONG_AGAIN_MS), "an hour later");
    tells(0, 1, "it is news");
    for (int i = 0; i < WRONG_KEPT + 10; i++) {
        root[1] = (uint8_t)i;
        root[2] = (uint8_t)(1 + i / 256);
        wrong_add(&wrong, id, root, 1000 + WRONG_AGAIN_MS);
    }
    is_int((long long)wrong.count, WRONG_KEPT, "only so many are kept");
    tells(1, WRONG_ENTRIES, "and so many told at once");
    return tap_done();
}

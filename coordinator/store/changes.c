/*
 * The stream of changes: what one process has changed, all hear of.
 *
 * Must not know what the changes mean.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/store/link_parts.h"

#define CHANGES_PAGE 512 /* a full one is followed by the next at once */

static void
on_changes(struct store *store, int rc, const redisReply *reply, void *arg)
{
    const redisReply *list, *fields;
    const char *kind, *id, *process;
    size_t count;

    (void)rc;
    (void)arg;
    store->polling = false;
    list = link_item(link_item(reply, 0), 1);
    count = link_count(list);
    for (size_t i = 0; i < count; i++) {
        snprintf(store->last_change, sizeof(store->last_change), "%s",
                 link_string(link_item(link_item(list, i), 0)));
        fields = link_item(link_item(list, i), 1);
        kind = link_string(link_item(fields, 1));
        id = link_string(link_item(fields, 3));
        process = link_string(link_item(fields, 5));
        if (strcmp(process, store->process) != 0)
            store->events.on_change(store->events.arg,
                                    (enum store_change)kind[0], id);
    }
    if (count == CHANGES_PAGE)
        changes_read(store);
}

void
changes_read(struct store *store)
{
    if (!store->polling &&
        link_send(store, on_changes, NULL, "XREAD COUNT %d STREAMS changes %s",
                  CHANGES_PAGE, store->last_change) == 0)
        store->polling = true;
}

void
store_announce(struct store *store, enum store_change what, const char *id)
{
    const char kind[] = {(char)what, '\0'};

    link_send(store, NULL, NULL, "XADD changes MAXLEN ~ %d * k %s v %s p %s",
              STORE_CHANGES_MAX, kind, id, store->process);
    store->events.on_change(store->events.arg, what, id);
}

/*
 * Gives freed memory back: what long-lived allocations are mixed with stays
 * with the process otherwise, however little of it is in use.
 *
 * Must not know what memory is used for.
 */
#include "coordinator/memory.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct memory {
    uv_timer_t tick;
    size_t rest, before; /* idle bytes after the last trim; at the last tick */
};

/* Of the process itself: not of files and what is shared. */
static size_t
resident_bytes(void)
{
    unsigned long long resident = 0, shared = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f == NULL)
        return 0;
    if (fscanf(f, "%*u %llu %llu", &resident, &shared) != 2 ||
        resident < shared)
        resident = shared = 0;
    fclose(f);
    return (size_t)(resident - shared) * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t
idle_bytes(void)
{
    const struct mallinfo2 info = mallinfo2();
    size_t resident = resident_bytes(), used = info.uordblks + info.hblkhd;

    return resident > used ? resident - used : 0;
}

/* Not what will be used again at once: it has lain idle for a tick. */
static void
on_tick(uv_timer_t *timer)
{
    struct memory *memory = timer->data;
    size_t idle = idle_bytes(), most = memory->rest + MEMORY_SLACK;
    size_t before = memory->before;

    memory->before = idle;
    if (idle <= most || before <= most)
        return;
    malloc_trim(0);
    memory->rest = memory->before = idle_bytes();
}

int
memory_start(uv_loop_t *loop, struct memory **ret)
{
    struct memory *memory = calloc(1, sizeof(*memory));

    if (memory == NULL)
        return -ENOMEM;
    uv_timer_init(loop, &memory->tick);
    memory->tick.data = memory;
    uv_timer_start(&memory->tick, on_tick, MEMORY_TICK_MS, MEMORY_TICK_MS);
    *ret = memory;
    return 0;
}

static void
on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void
memory_stop(struct memory *memory)
{
    if (memory != NULL)
        uv_close((uv_handle_t *)&memory->tick, on_closed);
}

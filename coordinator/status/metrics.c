/*
 * Counters and gauges shared by the workers.
 *
 * Must not know what is counted.
 */
#include "coordinator/status/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct slot {
    _Alignas(64) _Atomic uint64_t values[METRICS_COUNT];
};

static const struct {
    const char *kind, *name, *help;
} metrics[] = {
#define METRICS_ROW(id, kind, name, help) {#kind, name, help},
    METRICS(METRICS_ROW)
#undef METRICS_ROW
};

static struct slot alone;
static struct slot *slots = &alone;
static unsigned slot_count = 1, own;

int
metrics_share(void)
{
    void *memory =
        mmap(NULL, METRICS_WORKERS * sizeof(*slots), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return -ENOMEM;
    slots = memory;
    slot_count = METRICS_WORKERS;
    return 0;
}

void
metrics_worker(unsigned worker)
{
    own = worker < slot_count ? worker : 0;
}

void
metrics_add(enum metric metric, uint64_t n)
{
    atomic_fetch_add_explicit(&slots[own].values[metric], n,
                              memory_order_relaxed);
}

void
metrics_set(enum metric metric, uint64_t value)
{
    atomic_store_explicit(&slots[own].values[metric], value,
                          memory_order_relaxed);
}

uint64_t
metrics_read(enum metric metric)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < slot_count; i++)
        sum += atomic_load_explicit(&slots[i].values[metric],
                                    memory_order_relaxed);
    return sum;
}

void
metrics_write(FILE *out)
{
    for (size_t i = 0; i < METRICS_COUNT; i++) {
        int len = (int)strcspn(metrics[i].name, "{");

        if (metrics[i].help[0] != '\0')
            fprintf(out, "# HELP %.*s %s\n# TYPE %.*s %s\n", len,
                    metrics[i].name, metrics[i].help, len, metrics[i].name,
                    metrics[i].kind);
        fprintf(out, "%s %" PRIu64 "\n", metrics[i].name,
                metrics_read((enum metric)i));
    }
}

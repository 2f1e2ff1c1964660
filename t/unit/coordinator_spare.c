/*
 * Spare capacity as it is told: powers of two, and no news while the load
 * plays about the edge between two of them.
 */
#include "../../coordinator/nodes/spare.c"

#include "tap.h"

static void
test_power(void)
{
    unsigned wrong = 0;

    is_int(spare_told(0, 0, 0), SPARE_UNKNOWN, "unlimited: not known");
    is_int(spare_told(0, 5000, 4096), SPARE_UNKNOWN, "no longer limited");
    is_int(spare_told(50000000, 0, 0), 32768, "50 MB/s: 48828 KiB/s");
    is_int(spare_told(50000000, 40000000, 0), 8192, "a fifth of it");
    is_int(spare_told(1 << 20, 1 << 20, 0), 1, "nothing left");
    is_int(spare_told(1 << 20, UINT64_MAX, 0), 1, "less than nothing left");
    is_int(spare_told(1, 0, 0), 1, "the slowest");
    is_int(spare_told(UINT64_MAX, 0, 0), SPARE_MAX, "the fastest");
    is_int(spare_told(UINT64_MAX, 0, 1 << 10), SPARE_MAX, "become so");
    for (uint64_t rate = 1; rate < 1ull << 40; rate += rate / 3 + 1) {
        uint32_t told = spare_told(rate, 0, 0);

        wrong += told == 0 || (told & (told - 1)) != 0 || told > SPARE_MAX;
        wrong += told > 1 && told > rate / 1024;
        wrong += told < SPARE_MAX && 2 * (uint64_t)told <= rate / 1024;
    }
    is_int(wrong, 0, "always the power of two below");
}

static void
test_inertia(void)
{
    uint32_t told = 0;
    unsigned news = 0;

    for (int i = 0; i < 1000; i++) { /* 4096 KiB/s, give or take 20 % */
        uint64_t load = 4096 * 1024 + (i % 3 - 1) * 800 * 1024;
        uint32_t now = spare_told(8192 * 1024, load, told);

        news += now != told;
        told = now;
    }
    is_int(news, 1, "on the edge: told once");
    is_int(spare_told(3071 * 1024, 0, 4096), 2048, "a quarter below: less");
    is_int(spare_told(3072 * 1024, 0, 4096), 4096, "not yet");
    is_int(spare_told(10240 * 1024, 0, 4096), 8192, "a quarter above: more");
    is_int(spare_told(10239 * 1024, 0, 4096), 4096, "not yet");
    is_int(spare_told(1024, 1024, 1), 1, "nothing, as before");
}

int
main(void)
{
    test_power();
    test_inertia();
    return tap_done();
}

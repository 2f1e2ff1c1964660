/*
 * The outline of a plot, as the path of an SVG: one step for each point.
 * status.js draws the same.
 *
 * Must not know what is plotted.
 */
#include "coordinator/status/plot.h"

#define TOP_MIN 1000
#define TOP_MAX UINT64_C(1000000000000000000)

static uint64_t
plot_value(const struct history_point *point, enum plot_series series)
{
    return series == PLOT_CLAIMED ? point->claimed : point->credited;
}

uint64_t
plot_top(const struct history_point *points, size_t count)
{
    static const unsigned steps[] = {1, 2, 5};
    uint64_t max = 0;

    for (size_t i = 0; i < count; i++) {
        if (points[i].claimed > max)
            max = points[i].claimed;
        if (points[i].credited > max)
            max = points[i].credited;
    }
    for (uint64_t unit = TOP_MIN; unit < TOP_MAX; unit *= 10)
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
            if (steps[i] * unit >= max)
                return steps[i] * unit;
    return max > TOP_MAX ? max : TOP_MAX;
}

/* A tenth of a unit is enough; printf's decimal point is the locale's, which is
 * never set here. */
void
plot_path(FILE *out, const struct history_point *points, size_t count,
          enum plot_series series, uint64_t top)
{
    double x, y;

    fprintf(out, "M0 %d", PLOT_HEIGHT);
    for (size_t i = 0; i < count; i++) {
        y = PLOT_HEIGHT *
            (1 - (double)plot_value(&points[i], series) / (double)top);
        x = PLOT_WIDTH * (double)(i + 1) / (double)count;
        fprintf(out, "V%.1fH%.1f", y, x);
    }
    fprintf(out, "V%dZ", PLOT_HEIGHT);
}

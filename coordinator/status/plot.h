/*
 * The outline of a plot, as the path of an SVG.
 */
#ifndef COORDINATOR_STATUS_PLOT_H
#define COORDINATOR_STATUS_PLOT_H

#include <stdint.h>
#include <stdio.h>

#include "coordinator/store/history.h"

#define PLOT_WIDTH 600
#define PLOT_HEIGHT 120

enum plot_series { PLOT_CLAIMED, PLOT_CREDITED };

/* The top of the scale: the smallest 1, 2 or 5 times a power of ten that no
 * value is above; 1000 at least. */
uint64_t plot_top(const struct history_point *points, size_t count);
/* Steps from left to right, closed at the bottom. */
void plot_path(FILE *out, const struct history_point *points, size_t count,
               enum plot_series series, uint64_t top);

#endif

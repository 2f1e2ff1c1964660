/*
 * The metrics as Prometheus reads them: each name's HELP and TYPE once, before
 * its rows, which stand together; workers' numbers are summed.
 */
#include "coordinator/status/metrics.c"
#include "coordinator/status/plot.c"

#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static char *
written(void)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    metrics_write(out);
    fclose(out);
    return text;
}

static bool
has_line(const char *text, const char *line)
{
    const char *at = text;
    size_t len = strlen(line);

    while ((at = strstr(at, line)) != NULL) {
        if ((at == text || at[-1] == '\n') && at[len] == '\n')
            return true;
        at += len;
    }
    return false;
}

static unsigned
count_of(const char *text, const char *what)
{
    unsigned count = 0;

    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        count++;
    return count;
}

/* Rows without a help of their own belong to the name before. */
static void
test_table(void)
{
    unsigned bad = 0;

    for (size_t i = 0; i < METRICS_COUNT; i++) {
        size_t len = strcspn(metrics[i].name, "{");
        bool first = true;

        for (size_t j = 0; j < i; j++)
            if (strcspn(metrics[j].name, "{") == len &&
                memcmp(metrics[j].name, metrics[i].name, len) == 0) {
                first = false;
                if (j + 1 < i && metrics[i - 1].help[0] != '\0' &&
                    strncmp(metrics[i - 1].name, metrics[i].name, len) != 0)
                    bad++;
            }
        if (first != (metrics[i].help[0] != '\0')) {
            diag("%s: help once, at its first row", metrics[i].name);
            bad++;
        }
        if (strcmp(metrics[i].kind, "counter") == 0 &&
            (len < 7 || memcmp(metrics[i].name + len - 6, "_total", 6) != 0)) {
            diag("%s: a counter ends in _total", metrics[i].name);
            bad++;
        }
    }
    is_int(bad, 0, "the table is as the format wants it");
}

static void
test_text(void)
{
    char *text;

    metrics_add(M_REGISTRATIONS, 3);
    metrics_add(M_REGISTRATIONS_REFUSED, 2);
    metrics_set(M_CONNECTIONS, 7);
    metrics_set(M_CONNECTIONS, 5);
    text = written();
    is_int(count_of(text, "# TYPE offload_registrations_total counter\n"), 1,
           "the type once");
    is_int(count_of(text, "# HELP offload_registrations_total "), 1,
           "the help once");
    ok(has_line(text, "offload_registrations_total{result=\"accepted\"} 3"),
       "a row with a label");
    ok(has_line(text, "offload_registrations_total{result=\"refused\"} 2"),
       "the other one");
    ok(has_line(text, "offload_http_connections 5"), "a gauge is set");
    ok(text[strlen(text) - 1] == '\n', "ends with a newline");
    free(text);
}

static void
test_workers(void)
{
    pid_t child;
    int status;

    is_int(metrics_share(), 0, "shared");
    metrics_worker(0);
    metrics_add(M_HEARTBEATS, 1);
    child = fork();
    if (child == 0) {
        metrics_worker(1);
        metrics_add(M_HEARTBEATS, 41);
        metrics_set(M_CONNECTIONS, 2);
        _exit(0);
    }
    waitpid(child, &status, 0);
    metrics_set(M_CONNECTIONS, 3);
    is_int((int)metrics_read(M_HEARTBEATS), 42, "workers add up");
    is_int((int)metrics_read(M_CONNECTIONS), 5, "gauges too");
}

static void
test_plot(void)
{
    const struct history_point points[] = {{0, 0}, {1500, 1000}, {2000, 500}};
    char *text = NULL;
    size_t len;
    FILE *out;

    is_int((int)plot_top(points, 1), 1000, "the top of nothing");
    is_int((int)plot_top(points, 3), 2000, "the top is a round number");
    ok(plot_top(&(struct history_point){UINT64_MAX, 0}, 1) == UINT64_MAX,
       "the largest number does not overflow");
    out = open_memstream(&text, &len);
    plot_path(out, points, 3, PLOT_CLAIMED, 2000);
    fclose(out);
    is_str(text, "M0 120V120.0H200.0V30.0H400.0V0.0H600.0V120Z", "the steps");
    free(text);
}

int
main(void)
{
    test_table();
    test_text();
    test_workers();
    test_plot();
    return tap_done();
}

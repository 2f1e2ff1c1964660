/*
 * offload-coordinator ledger (command.h).
 *
 * Owns: its command line, and the way from the first page to the last.  Must
 * not know HTTP.
 */
#include "coordinator/ledger/command.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "coordinator/ledger/walk.h"
#include "coordinator/sites/sites.h"
#include "offload/encoding.h"

#define DAY_S 86400
#define CONNECT_MS 10000 /* for Redis to be there */

struct command_run {
    uv_loop_t *loop;
    struct store *store;
    uv_timer_t patience;
    struct ledger_query query;
    const char *redis, *node; /* node: NULL: all */
    struct ledger_walk *walk; /* NULL: not connected yet */
    int status;
};

static const char help[] =
    "Usage: offload-coordinator ledger [OPTION]...\n"
    "Prints what nodes are owed for: one line for each day, node and site.\n"
    "\n"
    "  --redis URL         as the coordinator has it (redis://127.0.0.1:6379)\n"
    "  --from DAY          the first day (UTC), as 2026-11-01 (that of the\n"
    "                      month)\n"
    "  --to DAY            the last day (today)\n"
    "  --format FORMAT     csv or jsonl (csv)\n"
    "  --node ID           this node only\n"
    "  --help\n";

static const struct option long_options[] = {
    {"redis", required_argument, NULL, 'r'},
    {"from", required_argument, NULL, 'f'},
    {"to", required_argument, NULL, 't'},
    {"format", required_argument, NULL, 'o'},
    {"node", required_argument, NULL, 'n'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* The end of the loop. */
static void
run_end(struct command_run *run, const char *why)
{
    if (why != NULL) {
        fprintf(stderr, "offload-coordinator: ledger: %s\n", why);
        run->status = 1;
    }
    uv_close((uv_handle_t *)&run->patience, NULL);
    uv_stop(run->loop);
}

static void
on_line(void *arg, const char *node, const struct store_ledger_line *line)
{
    struct command_run *run = arg;
    char site[SITE_ID_CHARS + 1];

    site_id(line->iss, site);
    ledger_print(stdout, run->query.format, node, site, line);
}

static void
on_done(void *arg, int rc, const struct ledger_cursor *next,
        const struct store_ledger_sums *sums)
{
    struct command_run *run = arg;

    (void)sums;
    if (rc == -ECANCELED)
        return;
    if (rc == 0 && next != NULL)
        rc = ledger_walk_page(run->walk);
    else if (rc == 0 && fflush(stdout) == 0)
        next = NULL;
    if (rc != 0)
        run_end(run, "Redis has failed; what is printed is not all");
    else if (ferror(stdout))
        run_end(run, "standard output cannot be written");
    else if (next == NULL)
        run_end(run, NULL);
}

static void
on_up(void *arg, bool fresh)
{
    const struct ledger_visitor visitor = {on_line, on_done, arg};
    struct command_run *run = arg;

    (void)fresh;
    if (run->walk != NULL)
        return; /* again; the page under way has failed and ended this */
    uv_timer_stop(&run->patience);
    ledger_print_head(stdout, run->query.format);
    if (ledger_walk_create(run->store, run->node, &run->query, &visitor,
                           &run->walk) != 0 ||
        ledger_walk_page(run->walk) != 0)
        run_end(run, "Redis has failed");
}

static void
on_change(void *arg, enum store_change what, const char *id)
{
    (void)arg;
    (void)what;
    (void)id;
}

static void
on_patience(uv_timer_t *timer)
{
    run_end(timer->data, "Redis does not answer; see --redis");
}

static int
command_start(struct command_run *run)
{
    const struct store_events events = {on_up, on_change, run};
    struct ol_error err = {""};

    run->loop = uv_default_loop();
    if (store_create(run->loop, run->redis, &events, &run->store, &err) != 0) {
        fprintf(stderr, "offload-coordinator: ledger: %s\n", err.text);
        return 1;
    }
    uv_timer_init(run->loop, &run->patience);
    run->patience.data = run;
    uv_timer_start(&run->patience, on_patience, CONNECT_MS, 0);
    uv_run(run->loop, UV_RUN_DEFAULT);
    store_free(run->store);
    ledger_walk_free(run->walk);
    uv_run(run->loop, UV_RUN_DEFAULT);
    uv_loop_close(run->loop);
    return run->status;
}

/* word: what was read last. */
static int
option_take(struct command_run *run, int c, const char *word,
            struct ol_error *err)
{
    uint8_t raw[OL_KEY_BYTES];

    switch (c) {
    case 'r':
        run->redis = optarg;
        return 0;
    case 'f':
        return ledger_query_set(&run->query, "from", optarg, err);
    case 't':
        return ledger_query_set(&run->query, "to", optarg, err);
    case 'o':
        if (strcmp(optarg, "json") == 0)
            return ol_error_set(err, EINVAL, "format: none of csv, jsonl");
        return ledger_query_set(&run->query, "format", optarg, err);
    case 'n':
        run->node = optarg;
        return ol_base64url_decode_exact(raw, sizeof(raw), optarg,
                                         strlen(optarg)) == 0
                   ? 0
                   : ol_error_set(err, EINVAL,
                                  "node: not an id of %d "
                                  "characters",
                                  OL_KEY_CHARS);
    default:
        return ol_error_set(err, EINVAL,
                            "%s: not an option, or without its value", word);
    }
}

int
ledger_command(int argc, char **argv)
{
    static struct command_run run = {.redis = "redis://127.0.0.1:6379"};
    struct ol_error err = {""};
    int c, rc = 0;

    ledger_query_init(&run.query);
    run.query.format = LEDGER_CSV;
    optind = 0;
    opterr = 0;
    while (rc == 0 &&
           (c = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (c == 'h') {
            fputs(help, stdout);
            return 0;
        }
        rc = option_take(&run, c, argv[optind - 1], &err);
    }
    if (rc == 0 && optind < argc)
        rc = ol_error_set(&err, EINVAL, "unexpected \"%s\"", argv[optind]);
    if (rc == 0)
        rc = ledger_query_check(&run.query, time(NULL) / DAY_S, &err);
    if (rc != 0) {
        fprintf(stderr,
                "offload-coordinator: ledger: %s\n"
                "Try: offload-coordinator ledger --help\n",
                err.text);
        return 2;
    }
    return command_start(&run);
}

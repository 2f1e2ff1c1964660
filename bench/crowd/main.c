/*
 * A crowd of nodes in one process, for tests and benchmarks of coordinators
 * with more nodes than a machine can run: each has a key, an address (of
 * 127.64.0.0/10, so that it counts as a network of its own) and a connection,
 * registers, answers call-backs, sends heartbeats, and says that it holds what
 * it is assigned.  Serves no bytes of any content.
 *
 *   crowd --coordinator 127.0.0.1:8090 --nodes 1000 --port 9000
 *
 * Once a second, and at the end (SIGTERM), it prints what it has seen so far as
 * one line of JSON.  After SIGUSR1 it claims no more bytes.
 *
 * Must not know how a coordinator works, but by doc/protocol.md.
 */
#include "bench/crowd/crowd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

struct crowd crowd;

uint64_t
now_ms(void)
{
    return uv_hrtime() / 1000000;
}

unsigned
random_below(unsigned below)
{
    unsigned random = 0;

    (void)!getrandom(&random, sizeof(random), 0);
    return below == 0 ? 0 : random % below;
}

/* Reporting and the end. */

static void
report_print(void)
{
    uint64_t served = 0, told = 0;
    size_t holdings = 0, open = 0;
    json_t *report;

    for (unsigned i = 0; i < crowd.o.nodes; i++) {
        holdings += crowd.nodes[i].holding_count;
        open += crowd.nodes[i].open;
        served += crowd.nodes[i].served;
        told += crowd.nodes[i].served_told;
    }
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"ms", now_ms() - crowd.started_ms},
        {"nodes", crowd.o.nodes},
        {"registered", crowd.registered},
        {"open", open},
        {"beats", crowd.beats},
        {"busy", crowd.busy},
        {"refused", crowd.refused},
        {"broken", crowd.broken},
        {"callbacks", crowd.callbacks},
        {"callbacks_most", crowd.callbacks_most},
        {"forgotten", crowd.forgotten},
        {"holdings", holdings},
        {"assigned", crowd.assigned},
        {"released", crowd.released},
        {"slowest_ms", crowd.slowest_ms},
        {"slow", crowd.slow},
        {"served", served},
        {"served_told", told},
    };

    report = json_pack("{s:s}", "reason", crowd.reason);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        json_object_set_new(report, rows[i].name,
                            json_integer((json_int_t)rows[i].value));
    json_dumpf(report, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(report);
}

static void
on_report(uv_timer_t *timer)
{
    (void)timer;
    report_print();
}

static void
on_signal(uv_signal_t *handle, int number)
{
    (void)handle;
    (void)number;
    crowd.ending = true;
    on_report(&crowd.report);
    uv_stop(crowd.loop);
}

static void
on_hush(uv_signal_t *handle, int number)
{
    (void)handle;
    (void)number;
    crowd.quiet = true;
}

/* Set-up. */

static int
coordinator_parse(const char *text)
{
    struct sockaddr_in *addr = &crowd.o.coordinators[crowd.o.coordinator_count];
    char host[64];
    unsigned port;

    if (crowd.o.coordinator_count == COORDINATORS_MAX ||
        sscanf(text, "%63[0-9.]:%u", host, &port) != 2 ||
        uv_ip4_addr(host, (int)port, addr) != 0)
        return -EINVAL;
    crowd.o.coordinator_count++;
    return 0;
}

static const char usage[] =
    "Usage: crowd --coordinator ADDR:PORT... --nodes N --port PORT\n"
    "  --wait MS        a heartbeat may be held so long (10000)\n"
    "  --beat MS        between an answer and the next heartbeat (100)\n"
    "  --connecting N   connections under way at a time (512)\n"
    "  --capacity BYTES --rate BYTES   as each node registers (20e9, 50e6)\n"
    "  --site ISS --serve BYTES   each beat claims so many more of that site\n"
    "  --skew S         its clock is so much ahead\n";

static int
options_take(int argc, char **argv)
{
    static const struct option longs[] = {
        {"coordinator", 1, NULL, 'c'}, {"nodes", 1, NULL, 'n'},
        {"port", 1, NULL, 'p'},        {"wait", 1, NULL, 'w'},
        {"beat", 1, NULL, 'b'},        {"connecting", 1, NULL, 'k'},
        {"capacity", 1, NULL, 'C'},    {"rate", 1, NULL, 'r'},
        {"site", 1, NULL, 's'},        {"serve", 1, NULL, 'S'},
        {"skew", 1, NULL, 'o'},        {NULL, 0, NULL, 0}};
    struct options *o = &crowd.o;
    int c;

    o->wait_ms = 10000;
    o->beat_ms = 100;
    o->connecting = 512;
    o->capacity = 20000000000;
    o->rate = 50000000;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        uint64_t number = optarg == NULL ? 0 : strtoull(optarg, NULL, 10);

        switch (c) {
        case 'c':
            if (coordinator_parse(optarg) != 0)
                return -EINVAL;
            break;
        case 'n':
            o->nodes = (unsigned)number;
            break;
        case 'p':
            o->port = (unsigned)number;
            break;
        case 'w':
            o->wait_ms = (unsigned)number;
            break;
        case 'b':
            o->beat_ms = (unsigned)number;
            break;
        case 'k':
            o->connecting = (unsigned)number;
            break;
        case 'C':
            o->capacity = number;
            break;
        case 'r':
            o->rate = number;
            break;
        case 's':
            o->site = optarg;
            break;
        case 'S':
            o->serve = number;
            break;
        case 'o':
            o->skew_s = atoll(optarg);
            break;
        default:
            return -EINVAL;
        }
    }
    return optind == argc && o->coordinator_count > 0 && o->nodes > 0 &&
                   o->nodes <= NODES_MAX && o->port > 0 && o->port < 65536
               ? 0
               : -EINVAL;
}

/* A /24 for each node: number n is 127.64.0.0/10 + 256 n + 1. */
static int
node_init(struct node *node, unsigned number)
{
    uint32_t address = (127u << 24 | 64u << 16) + 256 * number + 1;
    uint8_t random[16];
    char text[INET_ADDRSTRLEN];

    node->number = number;
    node->coordinator = number % crowd.o.coordinator_count;
    node->addr.sin_family = AF_INET;
    node->addr.sin_addr.s_addr = htonl(address);
    inet_ntop(AF_INET, &node->addr.sin_addr, text, sizeof(text));
    snprintf(node->url, sizeof(node->url), "http://%s:%u", text, crowd.o.port);
    (void)!getrandom(random, sizeof(random), 0);
    ol_base64url_encode(node->epoch, random, sizeof(random));
    uv_timer_init(crowd.loop, &node->timer);
    node->timer.data = node;
    node_next(node, random_below(crowd.o.nodes / 10));
    return ol_key_generate(&node->key);
}

static void
files_raise(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void
crowd_free(void)
{
    for (unsigned i = 0; i < crowd.o.nodes; i++) {
        struct node *node = &crowd.nodes[i];

        node_close(node);
        uv_close((uv_handle_t *)&node->timer, NULL);
        ol_key_free(node->key);
        free(node->holdings);
    }
    uv_close((uv_handle_t *)&crowd.report, NULL);
    uv_close((uv_handle_t *)&crowd.listener, NULL);
    uv_close((uv_handle_t *)&crowd.term, NULL);
    uv_close((uv_handle_t *)&crowd.interrupt, NULL);
    uv_close((uv_handle_t *)&crowd.hush, NULL);
    uv_run(crowd.loop, UV_RUN_NOWAIT);
    for (unsigned i = 0; i < crowd.o.nodes; i++)
        free(crowd.nodes[i].in);
    free(crowd.nodes);
}

int
main(int argc, char **argv)
{
    int rc;

    if (options_take(argc, argv) != 0) {
        fputs(usage, stderr);
        return 2;
    }
    files_raise();
    crowd.loop = uv_default_loop();
    crowd.started_ms = now_ms();
    crowd.nodes = calloc(crowd.o.nodes, sizeof(*crowd.nodes));
    for (unsigned i = 0; i < crowd.o.nodes; i++)
        if (crowd.nodes == NULL || node_init(&crowd.nodes[i], i) != 0)
            return 1;
    rc = callbacks_listen();
    if (rc != 0) {
        fprintf(stderr, "crowd: port %u: %s\n", crowd.o.port, strerror(-rc));
        return 1;
    }
    uv_signal_init(crowd.loop, &crowd.term);
    uv_signal_init(crowd.loop, &crowd.interrupt);
    uv_signal_start(&crowd.term, on_signal, SIGTERM);
    uv_signal_start(&crowd.interrupt, on_signal, SIGINT);
    uv_signal_init(crowd.loop, &crowd.hush);
    uv_signal_start(&crowd.hush, on_hush, SIGUSR1);
    uv_timer_init(crowd.loop, &crowd.report);
    uv_timer_start(&crowd.report, on_report, 1000, 1000);
    uv_run(crowd.loop, UV_RUN_DEFAULT);
    crowd_free();
    return 0;
}

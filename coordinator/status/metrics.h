/*
 * Counters and gauges of this process for GET /metrics (Prometheus text
 * format 0.0.4).
 *
 * The workers of one coordinator share them: each adds to a slot of its own in
 * memory that was mapped before the fork, and whoever is asked sums up all.
 * Numbers are 64-bit, only grow (counters) or are set (gauges), and may be read
 * by others while they are written.
 */
#ifndef COORDINATOR_STATUS_METRICS_H
#define COORDINATOR_STATUS_METRICS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define METRICS_WORKERS 64

/* X(identifier, kind, name and labels, help); one name's rows stand together */
#define METRICS(X)                                                             \
    X(M_REQUESTS, counter, "offload_http_requests_total",                      \
      "HTTP requests answered")                                                \
    X(M_CONNECTIONS, gauge, "offload_http_connections",                        \
      "Connections of nodes, sites and visitors that are open")                \
    X(M_REGISTRATIONS, counter,                                                \
      "offload_registrations_total{result=\"accepted\"}",                      \
      "Registrations of nodes")                                                \
    X(M_REGISTRATIONS_REFUSED, counter,                                        \
      "offload_registrations_total{result=\"refused\"}", "")                   \
    X(M_ADMISSIONS_REFUSED, counter, "offload_admissions_refused_total",       \
      "Nodes that the operator does not admit")                                \
    X(M_AUDITS_PASSED, counter, "offload_audits_total{result=\"passed\"}",     \
      "Pieces that nodes were asked for and that were checked")                \
    X(M_AUDITS_WRONG, counter, "offload_audits_total{result=\"wrong\"}", "")   \
    X(M_AUDITS_FAILED, counter, "offload_audits_total{result=\"failed\"}", "") \
    X(M_AUDITS_UNKNOWN, counter, "offload_audits_total{result=\"unknown\"}",   \
      "")                                                                      \
    X(M_BANS, counter, "offload_bans_total", "Nodes that audits excluded")     \
    X(M_HEARTBEATS, counter, "offload_heartbeats_total",                       \
      "Heartbeats of nodes taken")                                             \
    X(M_SYNCS, counter, "offload_syncs_total{result=\"ok\"}",                  \
      "Exchanges with instances of sites")                                     \
    X(M_SYNCS_FAILED, counter, "offload_syncs_total{result=\"failed\"}", "")   \
    X(M_ANNOUNCES_HTTP, counter,                                               \
      "offload_announces_total{protocol=\"http\",result=\"ok\"}",              \
      "Announces of BitTorrent peers")                                         \
    X(M_ANNOUNCES_HTTP_REFUSED, counter,                                       \
      "offload_announces_total{protocol=\"http\",result=\"refused\"}", "")     \
    X(M_ANNOUNCES_UDP, counter,                                                \
      "offload_announces_total{protocol=\"udp\",result=\"ok\"}", "")           \
    X(M_ANNOUNCES_UDP_REFUSED, counter,                                        \
      "offload_announces_total{protocol=\"udp\",result=\"refused\"}", "")      \
    X(M_SCRAPES_HTTP, counter, "offload_scrapes_total{protocol=\"http\"}",     \
      "Scrapes of BitTorrent swarms")                                          \
    X(M_SCRAPES_UDP, counter, "offload_scrapes_total{protocol=\"udp\"}", "")   \
    X(M_UDP_PACKETS, counter, "offload_tracker_udp_packets_total",             \
      "Packets that came to the tracker's UDP port")                           \
    X(M_UDP_REFUSED, counter, "offload_tracker_udp_refused_total",             \
      "Of these, what was no request or had no good connection id")            \
    X(M_TRACKER_SWARMS, gauge, "offload_tracker_swarms",                       \
      "BitTorrent swarms in memory")                                           \
    X(M_TRACKER_PEERS, gauge, "offload_tracker_peers",                         \
      "BitTorrent peers in memory, a sample of all")                           \
    X(M_BYTES_CLAIMED, counter, "offload_claimed_bytes_total",                 \
      "Bytes that nodes say they sent, as they tell this coordinator")         \
    X(M_BYTES_CREDITED, counter, "offload_credited_bytes_total",               \
      "Bytes that were credited to nodes, in what this coordinator heard")     \
    X(M_STORE_ERRORS, counter, "offload_store_errors_total",                   \
      "Commands that Redis did not answer, or with an error")

enum metric {
#define METRICS_ENUM(id, kind, name, help) id,
    METRICS(METRICS_ENUM)
#undef METRICS_ENUM
        METRICS_COUNT
};

/* Before the fork; without it there is one slot.  -ENOMEM. */
int metrics_share(void);
/* Which slot this process adds to, 0 .. METRICS_WORKERS - 1. */
void metrics_worker(unsigned worker);
void metrics_add(enum metric metric, uint64_t n);
void metrics_set(enum metric metric, uint64_t value);
/* Of all workers together. */
uint64_t metrics_read(enum metric metric);
/* As Prometheus reads it. */
void metrics_write(FILE *out);

#endif

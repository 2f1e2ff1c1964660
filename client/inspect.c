/*
 * `offload inspect`: a manifest's fields, every check with its reason, and
 * whether its peers answer.
 *
 * Owns the command's options and the two forms of its output.
 */
#include "client/inspect.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/offer.h"
#include "client/session.h"
#include "client/site.h"
#include "client/verify.h"
#include "offload/encoding.h"

static const char usage[] =
    "usage: offload inspect [--json] URL\n"
    "\n"
    "Asks the site for the manifest of URL, checks it as `offload get` does,\n"
    "asks each peer whether it has the file, and shows all that.  Exit status\n"
    "0 only if the manifest verifies; 91 if it does not; else as `get`.\n";

struct inspection {
    struct session session;
    struct site site;
    const char *url;
    struct offer offer;
    struct verdict verdict;
    enum verify_result table;
    struct ol_error table_reason;
    char peers[OL_MANIFEST_PEERS][256]; /* what came of asking them */
    bool peer_ok[OL_MANIFEST_PEERS];
};

static void
check_table(struct inspection *in)
{
    uint8_t *table = NULL;
    enum outcome outcome =
        site_fetch_table(&in->session, &in->site, &in->verdict.manifest, &table,
                         &in->table_reason);

    in->table = outcome == OUTCOME_OK ? VERIFY_OK : VERIFY_FAILED;
    if (outcome == OUTCOME_OK &&
        ol_table_check(table,
                       (size_t)ol_piece_count(in->verdict.manifest.size) *
                           OL_HASH_BYTES,
                       in->verdict.manifest.size, in->verdict.manifest.root,
                       &in->table_reason) != 0)
        in->table = VERIFY_FAILED;
    if (in->table == VERIFY_FAILED && in->verdict.outcome == OUTCOME_OK)
        in->verdict.outcome = OUTCOME_REFUSED;
    free(table);
}

/* Its first byte, so that a peer that would fetch it has to say so. */
static void
check_peer(struct inspection *in, size_t i)
{
    const struct ol_manifest *manifest = &in->verdict.manifest;
    const char *headers[] = {"Range: bytes=0-0", NULL};
    struct answer answer;
    struct ol_error why;
    char *url;

    if (asprintf(&url, "%s%s", manifest->peers[i].url, manifest->path) < 0)
        return;
    if (session_ask(&in->session, url, headers, 0, &answer, &why) != OUTCOME_OK)
        snprintf(in->peers[i], sizeof(in->peers[i]), "%s", why.text);
    else
        snprintf(in->peers[i], sizeof(in->peers[i]), "HTTP status %d",
                 answer.status);
    in->peer_ok[i] = answer.status == 206 && answer.body_len == 1;
    if (in->peer_ok[i])
        snprintf(in->peers[i], sizeof(in->peers[i]), "answers");
    answer_clear(&answer);
    free(url);
}

static enum outcome
ask(struct inspection *in, struct ol_error *err)
{
    struct offer_task task = {.session = &in->session,
                              .url = in->url,
                              .origin = in->site.origin.text,
                              .mode = "manifest"};
    enum outcome outcome = offer_fetch(&task, &in->offer, err);

    if (outcome == OUTCOME_OK && in->offer.kind != OFFER_MANIFEST) {
        ol_error_set(err, EPROTO, "%s: redirected to %s; inspect that", in->url,
                     in->offer.redirect);
        outcome = OUTCOME_HTTP;
    }
    if (outcome != OUTCOME_OK && in->offer.status[0] != '\0')
        ol_error_set(err, EPROTO, "%s: no manifest (Offload-Status: %s)",
                     in->url, in->offer.status);
    return outcome;
}

static enum outcome
inspect(struct inspection *in, struct ol_error *err)
{
    enum outcome outcome = ask(in, err);

    if (outcome != OUTCOME_OK)
        return outcome;
    verify_manifest(&in->session, &in->site, in->url, in->offer.token,
                    in->offer.token_len, in->offer.date, &in->verdict);
    if (in->verdict.outcome != OUTCOME_OK)
        return OUTCOME_REFUSED; /* nobody is asked on behalf of a forger */
    check_table(in);
    for (size_t i = 0; i < in->verdict.manifest.peer_count; i++)
        check_peer(in, i);
    return in->verdict.outcome;
}

/* For people */

static void
time_text(char *dst, size_t cap, int64_t when)
{
    time_t t = (time_t)when;
    struct tm tm;

    if (gmtime_r(&t, &tm) == NULL ||
        strftime(dst, cap, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
        snprintf(dst, cap, "?");
}

static void
print_check(const char *name, enum verify_result result, const char *reason)
{
    static const char *const words[] = {"not checked", "ok", "FAIL"};

    printf("  %-10s %s%s%s\n", name, words[result],
           result == VERIFY_FAILED ? ": " : "",
           result == VERIFY_FAILED ? reason : "");
}

static void
print_manifest(const struct inspection *in)
{
    const struct ol_manifest *m = &in->verdict.manifest;
    char root[OL_ROOT_HEX + 1], sha256[OL_ROOT_HEX + 1], iat[32], exp[32];

    ol_hex_encode(root, m->root, OL_HASH_BYTES);
    ol_hex_encode(sha256, m->sha256, OL_HASH_BYTES);
    time_text(iat, sizeof(iat), m->iat);
    time_text(exp, sizeof(exp), m->exp);
    printf("fields\n"
           "  iss        %s\n  sub        %s\n"
           "  iat        %" PRId64 "  %s\n  exp        %" PRId64 "  %s\n"
           "  root       %s\n  sha256     %s\n"
           "  size       %" PRIu64 "\n  pieces     %" PRIu32 " of %" PRIu32
           " bytes, table %s\n"
           "  type       %s\n  etag       %s\n  path       %s\n",
           m->iss, m->sub, m->iat, iat, m->exp, exp, root, sha256, m->size,
           ol_piece_count(m->size), m->piece_size,
           m->table != NULL ? "inside" : "apart", m->type, m->etag, m->path);
    for (size_t i = 0; i < m->tracker_count; i++)
        printf("  tracker    %s\n", m->trackers[i]);
    printf("peers\n");
    for (size_t i = 0; i < m->peer_count; i++)
        printf("  %s  %s  %s%s%s\n", m->peers[i].id, m->peers[i].url,
               m->peers[i].zone, m->peers[i].zone[0] != '\0' ? "  " : "",
               in->peers[i][0] != '\0' ? in->peers[i] : "not asked");
    if (m->peer_count == 0)
        printf("  none\n");
}

static void
print_text(const struct inspection *in)
{
    const struct verdict *verdict = &in->verdict;

    if (verdict->has_jws)
        printf("header\n  alg        EdDSA\n  typ        %s\n  kid        %s\n",
               OL_TYP_MANIFEST, verdict->jws.kid);
    if (verdict->has_manifest)
        print_manifest(in);
    printf("checks\n");
    for (int i = 0; i < VERIFY_CHECKS; i++)
        print_check(verify_name((enum verify_check)i), verdict->results[i],
                    verdict->reasons[i].text);
    print_check("table", in->table, in->table_reason.text);
    printf("%s\n",
           verdict->outcome == OUTCOME_OK ? "verified" : "NOT verified");
}

/* For programs */

static json_t *
check_json(const char *name, enum verify_result result, const char *reason)
{
    static const char *const words[] = {"skipped", "ok", "failed"};

    return json_pack("{s:s, s:s, s:s*}", "check", name, "result", words[result],
                     "reason", result == VERIFY_FAILED ? reason : NULL);
}

static void
print_json(const struct inspection *in)
{
    const struct verdict *verdict = &in->verdict;
    json_t *checks = json_array(), *peers = json_array(), *json;

    for (int i = 0; i < VERIFY_CHECKS; i++)
        json_array_append_new(
            checks, check_json(verify_name((enum verify_check)i),
                               verdict->results[i], verdict->reasons[i].text));
    json_array_append_new(
        checks, check_json("table", in->table, in->table_reason.text));
    for (size_t i = 0;
         verdict->has_manifest && i < verdict->manifest.peer_count; i++)
        json_array_append_new(peers,
                              json_pack("{s:s, s:s, s:b, s:s}", "id",
                                        verdict->manifest.peers[i].id, "url",
                                        verdict->manifest.peers[i].url, "ok",
                                        in->peer_ok[i], "says", in->peers[i]));
    json = json_pack("{s:s, s:b, s:s*, s:O*, s:o, s:o}", "url", in->url,
                     "verified", verdict->outcome == OUTCOME_OK, "kid",
                     verdict->has_jws ? verdict->jws.kid : NULL, "payload",
                     verdict->has_jws ? verdict->jws.payload : NULL, "checks",
                     checks, "peers", peers);
    if (json == NULL)
        return;
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(json);
}

static enum outcome
inspect_url(const char *url, bool json)
{
    struct inspection *in = calloc(1, sizeof(*in));
    struct ol_error err = {""};
    enum outcome outcome;

    if (in == NULL || session_open(&in->session) != 0) {
        fputs("offload inspect: no memory\n", stderr);
        free(in);
        return OUTCOME_MEMORY;
    }
    in->url = url;
    if (ol_origin_parse(url, strlen(url), &in->site.origin, &err) != 0)
        outcome = OUTCOME_USAGE;
    else
        outcome = inspect(in, &err);
    if (in->offer.kind == OFFER_MANIFEST && in->offer.token != NULL) {
        if (json)
            print_json(in);
        else
            print_text(in);
    } else {
        fprintf(stderr, "offload inspect: %s\n", err.text);
    }
    verdict_clear(&in->verdict);
    offer_clear(&in->offer);
    site_clear(&in->site);
    session_close(&in->session);
    free(in);
    return outcome;
}

enum outcome
inspect_main(int argc, char **argv)
{
    enum { JSON = 256 };
    static const struct option options[] = {{"json", no_argument, NULL, JSON},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    bool json = false;
    int c;

    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (c) {
        case JSON:
            json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return OUTCOME_OK;
        default:
            fputs(usage, stderr);
            return OUTCOME_USAGE;
        }
    }
    if (optind != argc - 1) {
        fputs(usage, stderr);
        return OUTCOME_USAGE;
    }
    return inspect_url(argv[optind], json);
}

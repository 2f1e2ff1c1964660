/*
 * The account of a download: beyond so many sources they share one, of which
 * nothing is said to the origin; peers never share the origin's.
 */
#include "../../client/receipt.c"
#include "../../client/report.c"

#include "tap.h"

#define EPOCH "AQIDBAUGBwgJCgsMDQ4PEA"
#define MAC "yMnKy8zNzs_Q0dLT1NXW1w"
#define ID "AAAAAQAAAAEAAAABAAAAAQAAAAEAAAABAAAAAQAAAAE"
#define RECEIPT "1." EPOCH ".7-17.1790086460.AAAAAQAAAAEA." MAC

/* What receipts_spend() sends by; nothing is sent here. */
enum outcome
session_request(struct session *session, const struct fetch_request *request,
                struct answer *ret, struct ol_error *err)
{
    (void)session, (void)request, (void)err;
    *ret = (struct answer){.status = 204};
    return OUTCOME_OK;
}

void
answer_clear(struct answer *answer)
{
    (void)answer;
}

static struct report report;

static void
test_others(void)
{
    struct report_source *source;
    char url[32];

    for (int i = 0; i < REPORT_SOURCES; i++) {
        snprintf(url, sizeof(url), "http://%d.example", i);
        report_source(&report, i == 0 ? ID : "other", url, false)->bytes = 10;
    }
    source = report_source(&report, ID, "http://more.example", false);
    source->bytes = 1000;
    ok(report_source(&report, "x", "http://yet.more", false) == source,
       "beyond so many, peers share one");
    is_str(source->url, REPORT_OTHERS, "which is called the others");
    is_str(source->id, "", "and has nobody's id");
    source = report_source(&report, "", "http://site.example", true);
    source->bytes = 7;
    ok(source->origin, "the origin is not one of them");
    ok(report_source(&report, "", "http://site2.example", true) == source,
       "and has another one");
    ok(!report_source(&report, "", "http://0.example", false)->origin,
       "those from before are still found");
    is_int(report_bytes(&report, false), 10 * REPORT_SOURCES + 1000,
           "all bytes of peers");
    is_int(report_bytes(&report, true), 7, "all bytes of origins");
}

static void
test_accounts(void)
{
    uint64_t bytes;
    json_t *peers, *peer;

    report.size = 1 << 20;
    peers = accounts(&report, RECEIPT, &bytes);
    is_int(json_array_size(peers), 1, "one is the receipt's");
    peer = json_array_get(peers, 0);
    is_str(json_string_value(json_object_get(peer, "id")), ID, "by its id");
    is_int(json_integer_value(json_object_get(peer, "bytes")), 10,
           "has what it sent itself");
    is_int(bytes, 10, "and nothing else is told");
    is_int(peer->refcount, 1, "which nobody else holds");
    json_decref(peers);
}

int
main(void)
{
    test_others();
    test_accounts();
    return tap_done();
}

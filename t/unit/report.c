/* The form of receipts and of what is said for them. */
#include "../../lib/report.c"

#include <stdio.h>
#include <stdlib.h>

#include "tap.h"

#define EPOCH "AQIDBAUGBwgJCgsMDQ4PEA"
#define MAC "yMnKy8zNzs_Q0dLT1NXW1w"
#define ONE "AAAAAQAAAAEA"
#define ID1 "AAAAAQAAAAEAAAABAAAAAQAAAAEAAAABAAAAAQAAAAE"
#define ID2 "AAAAAgAAAAIAAAACAAAAAgAAAAIAAAACAAAAAgAAAAI"
#define TWO "AAAAAgAAAAIA"
#define ROOT "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
#define GOOD "1." EPOCH ".7-17.1790086460." ONE TWO "." MAC

static void
test_receipt(void)
{
    struct ol_receipt r;
    struct ol_error err = {""};
    char text[OL_RECEIPT_MAX + 2];
    size_t n;

    is_int(ol_receipt_parse(GOOD, strlen(GOOD), &r, &err), 0, "a receipt");
    ok(r.epoch[0] == 1 && r.epoch[15] == 16, "its epoch");
    is_int(r.lane, 7, "its lane");
    is_int(r.counter, 17, "its counter");
    is_int(r.exp, 1790086460, "its end");
    ok(r.peer_count == 2 && memcmp(r.peers, ONE TWO, 24) == 0, "its peers");
    ok(r.mac[0] == 200 && r.mac[15] == 215, "its seal");
    is_int(r.sealed_len, strlen(GOOD) - strlen("." MAC), "what is sealed");

    /* The longest: the largest numbers, 32 peers. */
    n = (size_t)sprintf(text, "1." EPOCH ".255-4294967295.9007199254740991.");
    for (int i = 0; i < OL_MANIFEST_PEERS; i++, n += OL_RECEIPT_PEER_CHARS)
        memcpy(text + n, ONE, OL_RECEIPT_PEER_CHARS);
    strcpy(text + n, "." MAC);
    is_int(strlen(text), OL_RECEIPT_MAX, "the longest receipt");
    is_int(ol_receipt_parse(text, strlen(text), &r, &err), 0, "is taken");
    is_int(r.peer_count, OL_MANIFEST_PEERS, "with all its peers");
}

static void
test_receipt_refused(void)
{
    static const char *const bad[] = {
        "",
        "1",
        "1.",
        ".....",
        "2." EPOCH ".7-17.17." ONE "." MAC,
        "01." EPOCH ".7-17.17." ONE "." MAC,
        "1." EPOCH "A.7-17.17." ONE "." MAC,
        "1.AQIDBAUGBwgJCgsMDQ4PEB.7-17.17." ONE "." MAC,
        "1." EPOCH "..17." ONE "." MAC,
        "1." EPOCH ".17.17." ONE "." MAC,
        "1." EPOCH ".-17.17." ONE "." MAC,
        "1." EPOCH ".7-.17." ONE "." MAC,
        "1." EPOCH ".7-17-.17." ONE "." MAC,
        "1." EPOCH ".7-17-1.17." ONE "." MAC,
        "1." EPOCH ".7--1.17." ONE "." MAC,
        "1." EPOCH ".07-17.17." ONE "." MAC,
        "1." EPOCH ".7-017.17." ONE "." MAC,
        "1." EPOCH ".7-17 .17." ONE "." MAC,
        "1." EPOCH ".256-17.17." ONE "." MAC,
        "1." EPOCH ".7-4294967296.17." ONE "." MAC,
        "1." EPOCH ".7-17.99999999999999999." ONE "." MAC,
        "1." EPOCH ".7-17.9007199254740992." ONE "." MAC,
        "1." EPOCH ".7-17.17.." MAC,
        "1." EPOCH ".7-17.17.AAAAAQAA." MAC,
        "1." EPOCH ".7-17.17.AAAAAQAAAAE." MAC,
        "1." EPOCH ".7-17.17.AAAAAQAAAAEAA." MAC,
        "1." EPOCH ".7-17.17.AAAA QAAAAEA." MAC,
        "1." EPOCH ".7-17.17." ONE ".",
        "1." EPOCH ".7-17.17." ONE "." MAC ".",
        "1." EPOCH ".7-17.17." ONE "." MAC ".x",
        "1." EPOCH ".7-17.17." ONE ".yMnKy8zNzs_Q0dLT1NXW1x",
        "1." EPOCH ".7-17.17." ONE ".yMnKy8zNzs/Q0dLT1NXW1w",
    };
    struct ol_receipt r;
    struct ol_error err;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        is_int(ol_receipt_parse(bad[i], strlen(bad[i]), &r, &err), -EBADMSG,
               "refused: %.60s", bad[i]);
}

static int
parse(const char *peers, struct ol_report *ret)
{
    char text[OL_REPORT_MAX];
    struct ol_error err;

    snprintf(text, sizeof(text),
             "{\"receipt\":\"" GOOD "\",\"root\":\"" ROOT "\",\"peers\":%s}",
             peers);
    return ol_report_parse(text, strlen(text), ret, &err);
}

static void
test_report(void)
{
    static const char *const bad[] = {
        "[]",
        "{}",
        "[1]",
        "[{\"id\":\"" ID1 "\"}]",
        "[{\"bytes\":1}]",
        "[{\"id\":\"short\",\"bytes\":1}]",
        "[{\"id\":\"" ID1 "\",\"bytes\":-1}]",
        "[{\"id\":\"" ID1 "\",\"bytes\":4398046511105}]",
        "[{\"id\":\"" ID1 "\",\"bytes\":1,\"failed\":0}]",
        "[{\"id\":\"" ID1 "\",\"bytes\":1},{\"id\":\"" ID1 "\",\"bytes\":1}]",
    };
    struct ol_report r;
    struct ol_error err;
    char *large;

    is_int(parse("[{\"id\":\"" ID1 "\",\"bytes\":5},"
                 "{\"id\":\"" ID2 "\",\"bytes\":0,\"failed\":true}]",
                 &r),
           0, "a report");
    ok(r.peer_count == 2 && r.bytes == 5 && !r.peers[0].failed &&
           r.peers[1].failed,
       "its peers");
    is_str(r.peers[1].id, ID2, "in their order");
    is_int(r.root[0], 0x2d, "its root");
    is_int(r.receipt.counter, 17, "its receipt");
    ok(ol_report_peers_ok(&r), "all of them are the receipt's");
    ol_report_clear(&r);

    parse("[{\"id\":\"AAAAAQAAAAFAAAABAAAAAQAAAAEAAAABAAAAAQAAAAE\","
          "\"bytes\":5}]",
          &r);
    ok(!ol_report_peers_ok(&r), "one that is not");
    ol_report_clear(&r);

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        is_int(parse(bad[i], &r), -EBADMSG, "refused: %.60s", bad[i]);
    is_int(ol_report_parse("", 0, &r, &err), -EBADMSG, "nothing at all");
    is_int(ol_report_parse("{}", 2, &r, &err), -EBADMSG, "an empty object");
    is_str(err.text, "receipt: missing", "says what is missing");

    large = malloc(OL_REPORT_MAX + 1);
    memset(large, ' ', OL_REPORT_MAX + 1);
    is_int(ol_report_parse(large, OL_REPORT_MAX + 1, &r, &err), -EBADMSG,
           "more than 4 KiB");
    is_str(err.text, "report: longer than 4096 bytes", "says so");
    free(large);
}

int
main(void)
{
    test_receipt();
    test_receipt_refused();
    test_report();
    return tap_done();
}

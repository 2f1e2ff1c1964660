/*
 * The form of reports and receipts.  Owns: their limits, and that there is one
 * spelling of each receipt.  Knows neither keys nor who was served what.
 */
#include "offload/report.h"

#include <errno.h>
#include <string.h>

#include "offload/encoding.h"
#include "offload/json.h"

#define NUMBER_DIGITS 16 /* of the largest number that JSON has here */
#define NUMBER_MAX ((UINT64_C(1) << 53) - 1)

struct cursor {
    const char *pos, *end;
};

/* The characters up to the next such mark, or to the end of the text. */
static size_t
field_next(struct cursor *cursor, char mark, const char **ret)
{
    const char *start = cursor->pos;
    const char *stop = start < cursor->end
                           ? memchr(start, mark, (size_t)(cursor->end - start))
                           : NULL;

    *ret = start;
    cursor->pos = stop != NULL ? stop + 1 : cursor->end;
    return (size_t)((stop != NULL ? stop : cursor->end) - start);
}

/* Decimal without leading zeros, at most max. */
static int
number_parse(const char *text, size_t len, uint64_t max, uint64_t *ret)
{
    uint64_t n = 0;

    if (len == 0 || len > NUMBER_DIGITS || (text[0] == '0' && len > 1))
        return -EBADMSG;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EBADMSG;
        n = n * 10 + (uint64_t)(text[i] - '0');
    }
    if (n > max)
        return -EBADMSG;
    *ret = n;
    return 0;
}

/* "<lane>-<counter>" */
static int
counter_parse(const char *text, size_t len, struct ol_receipt *receipt)
{
    struct cursor cursor = {text, text + len};
    const char *field;
    uint64_t lane, counter;
    size_t n = field_next(&cursor, '-', &field);

    if (number_parse(field, n, OL_RECEIPT_LANES - 1, &lane) < 0)
        return -EBADMSG;
    n = field_next(&cursor, '-', &field);
    if (field + n != text + len ||
        number_parse(field, n, UINT32_MAX, &counter) < 0)
        return -EBADMSG;
    receipt->lane = (unsigned)lane;
    receipt->counter = (uint32_t)counter;
    return 0;
}

static bool
base64url_ok(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
            !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return true;
}

int
ol_receipt_parse(const char *text, size_t len, struct ol_receipt *ret,
                 struct ol_error *err)
{
    struct cursor cursor = {text, text + len};
    struct ol_receipt receipt = {.text = text};
    const char *field;
    size_t n;

    if (len > OL_RECEIPT_MAX)
        return ol_error_set(err, EBADMSG, "receipt: longer than %d characters",
                            OL_RECEIPT_MAX);

    n = field_next(&cursor, '.', &field);
    if (n != 1 || field[0] != '1')
        return ol_error_set(err, EBADMSG, "receipt: not of version 1");
    n = field_next(&cursor, '.', &field);
    if (ol_base64url_decode_exact(receipt.epoch, sizeof(receipt.epoch), field,
                                  n) < 0)
        return ol_error_set(err, EBADMSG, "receipt: no epoch in it");
    n = field_next(&cursor, '.', &field);
    if (counter_parse(field, n, &receipt) < 0)
        return ol_error_set(err, EBADMSG, "receipt: no counter in it");
    n = field_next(&cursor, '.', &field);
    if (number_parse(field, n, NUMBER_MAX, &receipt.exp) < 0)
        return ol_error_set(err, EBADMSG, "receipt: no time in it");

    n = field_next(&cursor, '.', &receipt.peers);
    receipt.peer_count = n / OL_RECEIPT_PEER_CHARS;
    if (n == 0 || n % OL_RECEIPT_PEER_CHARS != 0 ||
        receipt.peer_count > OL_MANIFEST_PEERS ||
        !base64url_ok(receipt.peers, n))
        return ol_error_set(err, EBADMSG, "receipt: no peers in it");
    receipt.sealed_len = (size_t)(receipt.peers + n - text);

    n = field_next(&cursor, '.', &field);
    if (field + n != text + len ||
        ol_base64url_decode_exact(receipt.mac, sizeof(receipt.mac), field, n) <
            0)
        return ol_error_set(err, EBADMSG, "receipt: no seal at its end");

    *ret = receipt;
    return 0;
}

static int
peer_parse(const json_t *json, struct ol_report_peer *ret, struct ol_error *err)
{
    struct ol_report_peer peer;
    uint8_t id[OL_KEY_BYTES];
    json_t *failed;
    int rc;

    if (!json_is_object(json))
        return ol_error_set(err, EBADMSG, "peers: not an object");
    rc = ol_json_bytes(json, "id", id, sizeof(id), err);
    if (rc == 0)
        rc = ol_json_string(json, "id", OL_KEY_CHARS, &peer.id, err);
    if (rc == 0)
        rc = ol_json_uint(json, "bytes", OL_CONTENT_MAX, &peer.bytes, err);
    if (rc < 0)
        return rc;

    failed = json_object_get(json, "failed");
    if (failed != NULL && !json_is_boolean(failed))
        return ol_error_set(err, EBADMSG, "failed: neither true nor false");
    peer.failed = json_is_true(failed);

    *ret = peer;
    return 0;
}

static int
peers_parse(const json_t *json, struct ol_report *report, struct ol_error *err)
{
    json_t *list;
    size_t count;
    int rc = ol_json_array(json, "peers", OL_MANIFEST_PEERS, &list, err);

    if (rc < 0)
        return rc;
    count = json_array_size(list);
    if (count == 0)
        return ol_error_set(err, EBADMSG, "peers: none");
    for (size_t i = 0; i < count; i++) {
        struct ol_report_peer *peer = &report->peers[i];

        rc = peer_parse(json_array_get(list, i), peer, err);
        if (rc < 0)
            return rc;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(report->peers[k].id, peer->id) == 0)
                return ol_error_set(err, EBADMSG, "peers: %s is in it twice",
                                    peer->id);
        }
        report->bytes += peer->bytes;
    }
    report->peer_count = count;
    return 0;
}

int
ol_report_parse(const char *text, size_t len, struct ol_report *ret,
                struct ol_error *err)
{
    struct ol_report report = {0};
    const char *receipt;
    int rc;

    if (len > OL_REPORT_MAX)
        return ol_error_set(err, EBADMSG, "report: longer than %d bytes",
                            OL_REPORT_MAX);
    report.json = ol_json_parse(text, len, err);
    if (report.json == NULL)
        return -EBADMSG;

    rc = ol_json_string(report.json, "receipt", OL_RECEIPT_MAX, &receipt, err);
    if (rc == 0)
        rc = ol_receipt_parse(receipt, strlen(receipt), &report.receipt, err);
    if (rc == 0)
        rc = ol_json_hex(report.json, "root", report.root, sizeof(report.root),
                         err);
    if (rc == 0)
        rc = peers_parse(report.json, &report, err);
    if (rc < 0) {
        json_decref(report.json);
        return -EBADMSG;
    }
    *ret = report;
    return 0;
}

bool
ol_report_peers_ok(const struct ol_report *report)
{
    const struct ol_receipt *receipt = &report->receipt;

    for (size_t i = 0; i < report->peer_count; i++) {
        size_t k = 0;

        while (k < receipt->peer_count &&
               memcmp(receipt->peers + k * OL_RECEIPT_PEER_CHARS,
                      report->peers[i].id, OL_RECEIPT_PEER_CHARS) != 0)
            k++;
        if (k == receipt->peer_count)
            return false;
    }
    return true;
}

void
ol_report_clear(struct ol_report *report)
{
    json_decref(report->json);
    report->json = NULL;
}

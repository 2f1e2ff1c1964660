/*
 * The client's word on its peers.
 *
 * Owns which receipt is spent and what is said for it.  A download is done
 * before this begins, and nothing here can fail it.
 */
#include "client/receipt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TELL_TOTAL_MS 2000

void
receipts_forget(struct receipts *receipts)
{
    receipts->count = 0;
}

void
receipts_note(struct receipts *receipts, const char *iss, const char *text)
{
    struct ol_receipt receipt;

    if (strcmp(receipts->iss, iss) != 0)
        receipts->count = 0;
    if (strlen(iss) >= sizeof(receipts->iss) ||
        ol_receipt_parse(text, strlen(text), &receipt, NULL) != 0)
        return;
    strcpy(receipts->iss, iss);
    if (receipts->count < RECEIPTS_MAX)
        receipts->count++;
    strcpy(receipts->text[receipts->count - 1], text);
}

static bool
names(const struct ol_receipt *receipt, const char *id)
{
    for (size_t i = 0; i < receipt->peer_count; i++)
        if (strncmp(receipt->peers + i * OL_RECEIPT_PEER_CHARS, id,
                    OL_RECEIPT_PEER_CHARS) == 0)
            return true;
    return false;
}

/* A node that moved has two URLs, and one account. */
static json_t *
account_of(json_t *peers, const char *id)
{
    json_t *peer;
    size_t i;

    json_array_foreach(peers, i, peer)
    {
        if (strcmp(json_string_value(json_object_get(peer, "id")), id) == 0)
            return peer;
    }
    peer = json_pack("{s:s, s:I, s:b}", "id", id, "bytes", (json_int_t)0,
                     "failed", 0);
    return json_array_append_new(peers, peer) == 0 ? peer : NULL;
}

/*
 * The peers of this receipt that gave something or failed; *ret_bytes of
 * pieces that were right, each counted once, although two may have sent one.
 */
static json_t *
accounts(const struct report *report, const char *text, uint64_t *ret_bytes)
{
    json_t *peers = json_array();
    struct ol_receipt receipt;
    uint64_t left = report->size;

    (void)ol_receipt_parse(text, strlen(text), &receipt, NULL);
    for (unsigned i = 0; i < report->source_count; i++) {
        const struct report_source *source = &report->sources[i];
        uint64_t bytes = source->bytes < left ? source->bytes : left;
        json_t *peer, *had;

        if (source->origin || !names(&receipt, source->id) ||
            json_array_size(peers) == OL_MANIFEST_PEERS ||
            (source->bytes == 0 && source->failed == 0))
            continue;
        peer = account_of(peers, source->id);
        had = json_object_get(peer, "bytes");
        json_integer_set(had, json_integer_value(had) + (json_int_t)bytes);
        if (source->lied || source->bytes == 0)
            json_object_set_new(peer, "failed", json_true());
        left -= bytes;
    }
    *ret_bytes = report->size - left;
    return peers;
}

/* The text of the report, or NULL: there is nothing to say. */
static char *
compose(const struct receipts *receipts, const struct report *report)
{
    json_t *best = NULL, *json;
    const char *receipt = "";
    uint64_t most = 0;
    char *text = NULL;

    for (unsigned i = 0; i < receipts->count; i++) {
        uint64_t bytes;
        json_t *peers = accounts(report, receipts->text[i], &bytes);

        if (json_array_size(peers) == 0 || (best != NULL && bytes <= most)) {
            json_decref(peers);
            continue;
        }
        json_decref(best);
        best = peers;
        most = bytes;
        receipt = receipts->text[i];
    }
    if (best == NULL)
        return NULL;
    json = json_pack("{s:s, s:s, s:o}", "receipt", receipt, "root",
                     report->root, "peers", best);
    if (json != NULL)
        text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

void
receipts_spend(const struct receipts *receipts, struct session *session,
               struct report *report)
{
    static const char *const headers[] = {"Content-Type: application/json",
                                          NULL};
    char url[OL_URL_MAX + 40];
    char *text = compose(receipts, report);
    struct fetch_request request = {.url = url,
                                    .method = "POST",
                                    .headers = headers,
                                    .body = text,
                                    .body_len = text != NULL ? strlen(text) : 0,
                                    .connect_ms = TELL_TOTAL_MS,
                                    .stall_ms = TELL_TOTAL_MS,
                                    .total_ms = TELL_TOTAL_MS};
    struct answer answer;

    if (text == NULL || (strncmp(report->url, "https:", 6) == 0 &&
                         strncmp(receipts->iss, "https:", 6) != 0)) {
        free(text);
        return;
    }
    snprintf(url, sizeof(url), "%s/.well-known/offload/report", receipts->iss);
    report->told = TOLD_FAILED;
    if (session_request(session, &request, &answer, &report->told_why) ==
        OUTCOME_OK) {
        if (answer.status == 204)
            report->told = TOLD;
        else
            ol_error_set(&report->told_why, EPROTO, "%s: HTTP status %d", url,
                         answer.status);
    }
    answer_clear(&answer);
    free(text);
}

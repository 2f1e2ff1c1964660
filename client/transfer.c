/*
 * One stream of pieces.
 *
 * Owns the request, the check of its head (status, Content-Range), the hash of
 * the piece under way.  Knows nothing of other sources or of the plan.
 */
#include "client/transfer.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/session.h"
#include "offload/content.h"
#include "offload/error.h"

#define HEADERS_MAX 8
#define RETRY_AFTER_MAX_S 60
#define RANGE_TEXT 64

struct transfer {
    struct transfer_task task;
    struct fetch *fetch;
    uint64_t pos, end; /* of the content: next byte, end of the Range */
    uint32_t piece;
    uint32_t piece_got;
    EVP_MD_CTX *sha;
    bool over;
    struct ol_error reason; /* may quote what the source sent */
    char have[4096]; /* a bitmap of 24,000 pieces; longer ones are ignored */
    bool has_have;
    uint64_t retry_ms;
    int status;
    bool head_ok;
};

static void
transfer_free(struct transfer *transfer)
{
    EVP_MD_CTX_free(transfer->sha);
    free(transfer);
}

/* "bytes first-last/size", exactly. */
static bool
range_matches(const struct transfer *transfer, const char *text)
{
    char expected[RANGE_TEXT * 2];

    snprintf(expected, sizeof(expected),
             "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, transfer->pos,
             transfer->end - 1, transfer->task.size);
    return text != NULL && strcmp(text, expected) == 0;
}

/* A whole 200 answer does where the run begins at 0; it is cut off after. */
static bool
length_matches(const struct transfer *transfer, const char *text)
{
    char expected[RANGE_TEXT];

    snprintf(expected, sizeof(expected), "%" PRIu64, transfer->task.size);
    return transfer->pos == 0 && text != NULL && strcmp(text, expected) == 0;
}

static void
note_refusal(struct transfer *transfer, struct fetch *fetch)
{
    const char *have = fetch_header(fetch, "Offload-Have");
    const char *after = fetch_header(fetch, "Retry-After");
    long seconds = after != NULL ? strtol(after, NULL, 10) : 0;

    ol_error_set(&transfer->reason, EPROTO, "HTTP status %d", transfer->status);
    if (seconds > 0)
        transfer->retry_ms =
            1000 * (uint64_t)(seconds < RETRY_AFTER_MAX_S ? seconds
                                                          : RETRY_AFTER_MAX_S);
    if (have != NULL && strlen(have) < sizeof(transfer->have)) {
        strcpy(transfer->have, have);
        transfer->has_have = true;
    }
}

static int
on_head(struct fetch *fetch, int status, void *arg)
{
    struct transfer *transfer = arg;
    const char *coding = fetch_header(fetch, "Content-Encoding");

    transfer->status = status;
    if (status != 200 && status != 206) {
        note_refusal(transfer, fetch);
        return -1;
    }
    if (coding != NULL && strcasecmp(coding, "identity") != 0) {
        ol_error_set(&transfer->reason, EPROTO, "the answer is encoded (%.40s)",
                     coding);
        return -1;
    }
    if (status == 206
            ? !range_matches(transfer, fetch_header(fetch, "Content-Range"))
            : !length_matches(transfer,
                              fetch_header(fetch, "Content-Length"))) {
        ol_error_set(&transfer->reason, EPROTO,
                     "HTTP status %d, but not the range that was asked for",
                     status);
        return -1;
    }
    transfer->head_ok = true;
    return 0;
}

static bool
piece_is_right(struct transfer *transfer)
{
    uint8_t hash[OL_HASH_BYTES];
    const uint8_t *expected =
        transfer->task.table + (size_t)transfer->piece * OL_HASH_BYTES;

    return EVP_DigestFinal_ex(transfer->sha, hash, NULL) == 1 &&
           EVP_DigestInit_ex(transfer->sha, EVP_sha256(), NULL) == 1 &&
           memcmp(hash, expected, OL_HASH_BYTES) == 0;
}

/* The piece under way is whole.  False: the transfer ends here. */
static bool
piece_complete(struct transfer *transfer)
{
    uint32_t piece = transfer->piece;
    bool right = piece_is_right(transfer), more;

    transfer->piece++;
    transfer->piece_got = 0;
    if (!right)
        ol_error_set(&transfer->reason, EPROTO, "wrong bytes in piece %" PRIu32,
                     piece);
    more = transfer->task.on_piece(transfer->task.arg, piece, right);
    transfer->over = !more || transfer->pos == transfer->end;
    /* At the end of the Range nothing is cut off: the connection lives on. */
    return right && (more || transfer->pos == transfer->end);
}

static int
on_data(struct fetch *fetch, const void *data, size_t len, void *arg)
{
    struct transfer *transfer = arg;
    const struct transfer_task *task = &transfer->task;
    const uint8_t *bytes = data;

    (void)fetch;
    while (len > 0) {
        size_t n =
            ol_piece_length(task->size, transfer->piece) - transfer->piece_got;

        if (transfer->over)
            return -1; /* a 200 answer goes on behind the run */
        if (n > len)
            n = len;
        if (EVP_DigestUpdate(transfer->sha, bytes, n) != 1 ||
            !task->on_bytes(task->arg, transfer->pos, bytes, n))
            return -1;
        bytes += n;
        len -= n;
        transfer->pos += n;
        transfer->piece_got += (uint32_t)n;
        if (transfer->piece_got ==
                ol_piece_length(task->size, transfer->piece) &&
            !piece_complete(transfer))
            return -1;
    }
    return 0;
}

static enum transfer_end
end_of(const struct transfer *transfer, int error)
{
    if (transfer->over)
        return TRANSFER_OVER;
    if (transfer->head_ok || error != -ECANCELED)
        return TRANSFER_BROKEN;
    if (transfer->status == 412 || transfer->status == 410)
        return TRANSFER_CHANGED;
    if (transfer->status == 429 || transfer->status >= 500)
        return TRANSFER_BROKEN;
    return TRANSFER_USELESS;
}

static void
on_done(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct transfer *transfer = arg;
    struct transfer_result end = {.end = end_of(transfer, result->error),
                                  .retry_ms = transfer->retry_ms,
                                  .reason = transfer->reason.text};

    (void)fetch;
    if (transfer->has_have)
        end.have = transfer->have;
    if (end.end != TRANSFER_OVER && transfer->reason.text[0] == '\0')
        ol_error_set(&transfer->reason, EPROTO, "%s",
                     result->text[0] != '\0' ? result->text
                                             : "ended too early");
    transfer->task.on_end(transfer->task.arg, &end);
    transfer_free(transfer);
}

static int
request(struct transfer *transfer, struct fetcher *fetcher)
{
    const struct transfer_task *task = &transfer->task;
    char range[RANGE_TEXT];
    const char *headers[HEADERS_MAX + 2] = {range};
    struct fetch_request request = {.url = task->url,
                                    .headers = headers,
                                    .max_body = task->size,
                                    .connect_ms = SESSION_STALL_MS,
                                    .stall_ms = SESSION_STALL_MS,
                                    .on_head = on_head,
                                    .on_data = on_data,
                                    .on_done = on_done,
                                    .arg = transfer};

    snprintf(range, sizeof(range), "Range: bytes=%" PRIu64 "-%" PRIu64,
             transfer->pos, transfer->end - 1);
    for (size_t i = 0; task->headers != NULL && task->headers[i] != NULL; i++) {
        if (i == HEADERS_MAX)
            return -EINVAL;
        headers[i + 1] = task->headers[i];
    }
    return fetch_start(fetcher, &request, &transfer->fetch);
}

int
transfer_start(struct fetcher *fetcher, const struct transfer_task *task,
               struct transfer **ret)
{
    uint64_t piece_size = ol_piece_size(task->size);
    struct transfer *transfer = calloc(1, sizeof(*transfer));
    int rc;

    if (transfer == NULL)
        return -ENOMEM;
    transfer->task = *task;
    transfer->piece = task->run.first;
    transfer->pos = task->run.first * piece_size;
    transfer->end = task->run.end * piece_size;
    if (transfer->end > task->size)
        transfer->end = task->size;
    transfer->sha = EVP_MD_CTX_new();
    if (transfer->sha == NULL ||
        EVP_DigestInit_ex(transfer->sha, EVP_sha256(), NULL) != 1)
        rc = -ENOMEM;
    else
        rc = request(transfer, fetcher);
    if (rc != 0) {
        transfer_free(transfer);
        return rc;
    }
    *ret = transfer;
    return 0;
}

void
transfer_stop(struct transfer *transfer)
{
    fetch_cancel(transfer->fetch);
    transfer_free(transfer);
}

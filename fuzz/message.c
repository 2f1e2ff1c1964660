/*
 * What is inside the signatures that come to a coordinator: a node's
 * registration, its heartbeat, a site's answer to a sync, all from one JSON.
 * The signature around them is another fuzzer's (jws.c).
 */
#include "coordinator/nodes/message.h"

#include <string.h>

#include "coordinator/sites/sync_codec.h"
#include "offload/json.h"
#include "offload/manifest.h"
#include "target.h"

#define KID "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void
check_register(const json_t *json)
{
    static struct message_register m;
    struct ol_error err;

    if (message_register(json, &m, &err) != 0)
        return;
    MUST(m.seq <= MESSAGE_SEQ_MAX && m.cidr_count <= MESSAGE_CIDRS);
    MUST(m.site_count <= MESSAGE_SITES);
    MUST(m.weight >= 1 && m.weight <= MESSAGE_WEIGHT_MAX);
    MUST(strlen(m.key) <= OL_KEY_CHARS && strlen(m.url) <= OL_URL_MAX);
    MUST(strlen(m.invitation) <= MESSAGE_INVITATION);
    for (size_t i = 0; i < m.cidr_count; i++)
        MUST(m.cidrs[i] != NULL);
    for (size_t i = 0; i < m.site_count; i++)
        MUST(m.sites[i] != NULL);
}

static void
check_heartbeat(const json_t *json)
{
    static struct message_heartbeat m;
    struct ol_error err;

    if (message_heartbeat(json, &m, &err) == 0) {
        MUST(m.wait_ms <= MESSAGE_WAIT_MAX_MS && m.store != NULL);
        MUST(m.holding_count <= MESSAGE_HOLDINGS);
        MUST(m.dropped_count <= MESSAGE_HOLDINGS);
        MUST(m.served_count <= MESSAGE_SERVED);
        MUST(m.wrong_count <= MESSAGE_WRONG);
        for (size_t i = 0; i < m.holding_count; i++)
            MUST(strlen(m.holdings[i].root) == OL_ROOT_HEX &&
                 m.holdings[i].bitmap != NULL);
    }
    message_heartbeat_clear(&m);
}

static void
check_answer(const json_t *json)
{
    static struct sync_answer a;
    struct ol_error err;

    if (sync_decode(json, &a, &err) != 0)
        return;
    MUST(a.count <= SYNC_ANSWER_ENTRIES);
    MUST(a.account_count <= SYNC_ANSWER_ACCOUNTS && a.epoch_text != NULL);
    for (size_t i = 0; i < a.count; i++)
        MUST(a.entries[i].sub != NULL && a.entries[i].size <= OL_CONTENT_MAX);
    for (size_t i = 0; i < a.account_count; i++)
        MUST(strlen(a.accounts[i].node) == OL_KEY_CHARS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ol_error err;
    json_t *json = ol_json_parse((const char *)data, len, &err);

    if (json != NULL) {
        (void)message_claims(json, KID, "me", 1790000000, &err);
        check_register(json);
        check_heartbeat(json);
        check_answer(json);
    }
    json_decref(json);
    return 0;
}

/*
 * The bodies of a sync: golden text of what is sent, and what is taken and
 * refused of an answer; the largest body fits into 64 KiB when signed.
 */
#include "../../coordinator/sites/sync_codec.c"

#include <stdio.h>

#include "offload/json.h"
#include "offload/jws.h"
#include "tap.h"

#define NODE "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define INFOHASH "0011223344556677889900112233445566778844"
#define ROOT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define EPOCH "AAECAwQFBgcICQoLDA0ODw"

static struct sync_body body;
static struct sync_answer answer;

static void
encodes(const char *want, const char *name)
{
    json_t *json = sync_encode(&body);
    char *text =
        json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);

    is_str(text, want, "%s", name);
    free(text);
    json_decref(json);
}

static void
test_encode(void)
{
    static const uint8_t epoch[] = {0, 1, 2,  3,  4,  5,  6,  7,
                                    8, 9, 10, 11, 12, 13, 14, 15};
    static const uint32_t candidates[] = {1u << 24 | 5, 2u << 24 | 0xabcdef};

    body = (struct sync_body){.iss = "me",
                              .aud = "https://s",
                              .iat = 1,
                              .exp = 61,
                              .seq = 17,
                              .base = 16,
                              .ack = 120,
                              .wait_ms = 10000};
    encodes("{\"ack\":120,\"aud\":\"https://s\",\"base\":16,\"contents\":{},"
            "\"exp\":61,\"gone\":[],\"iat\":1,\"iss\":\"me\",\"nodes\":[],"
            "\"seq\":17,\"wait\":10000}",
            "an empty sync");
    body.epoch = epoch;
    body.part = 1;
    body.parts = 3;
    body.wait_ms = 0;
    body.node_count = 2;
    body.nodes[0] = (struct sync_node){
        5, "id5", "http://a", "DE", "[\"192.0.2.0/24\"]", 4096};
    body.nodes[1] = (struct sync_node){6, "id6", "http://b", "", "[]", 0};
    body.gone_count = 1;
    body.gone[0] = 7;
    body.content_count = 2;
    body.contents[0] = (struct sync_content){ROOT, candidates, 2};
    body.contents[1] = (struct sync_content){"ff", candidates, 0};
    encodes("{\"ack\":120,\"aud\":\"https://s\",\"base\":16,\"contents\":{"
            "\"" ROOT "\":\"AQAABQKrze8\",\"ff\":\"\"},\"epoch\":\"" EPOCH "\","
            "\"exp\":61,\"full\":{\"part\":1,\"parts\":3},\"gone\":[7],"
            "\"iat\":1,\"iss\":\"me\",\"nodes\":[{\"cidrs\":[\"192.0.2.0/24\"],"
            "\"id\":\"id5\",\"n\":5,\"spare\":4096,\"url\":\"http://"
            "a\",\"zone\":\"DE\"},"
            "{\"id\":\"id6\",\"n\":6,\"url\":\"http://b\"}],\"seq\":17,"
            "\"wait\":0}",
            "a part of a full state");
}

/* Everything as large as it can be. */
static void
test_size(void)
{
    static char url[OL_URL_MAX + 1], zone[OL_ZONE_MAX + 1];
    static char roots[SYNC_CONTENTS][65], cidrs[4096];
    static uint32_t candidates[SYNC_CANDIDATES];
    struct ol_key *key;
    size_t len = 0, at = 1;
    json_t *json;
    char *token;

    memset(url, 'u', OL_URL_MAX);
    memset(zone, 'z', OL_ZONE_MAX);
    cidrs[0] = '[';
    for (int i = 0; i < 64; i++)
        at += (size_t)sprintf(cidrs + at,
                              "%s\"1111:2222:3333:4444:5555:6666:"
                              "7777:8888/128\"",
                              i == 0 ? "" : ",");
    strcpy(cidrs + at, "]");
    for (int i = 0; i < SYNC_CANDIDATES; i++)
        candidates[i] = UINT32_MAX;
    body.iss = "0123456789012345678901234567890123456789012";
    body.aud = url;
    body.seq = body.base = body.ack = (UINT64_C(1) << 53) - 1;
    body.node_count = SYNC_NODES;
    for (size_t i = 0; i < SYNC_NODES; i++)
        body.nodes[i] = (struct sync_node){(1 << 24) - 1, body.iss, url,
                                           zone,          cidrs,    SPARE_MAX};
    body.gone_count = SYNC_GONE;
    for (size_t i = 0; i < SYNC_GONE; i++)
        body.gone[i] = (1 << 24) - 1;
    body.content_count = SYNC_CONTENTS;
    for (size_t i = 0; i < SYNC_CONTENTS; i++) {
        snprintf(roots[i], sizeof(roots[i]), "%064zu", i);
        body.contents[i] =
            (struct sync_content){roots[i], candidates, SYNC_CANDIDATES};
    }
    must(ol_key_generate(&key) == 0);
    json = sync_encode(&body);
    must(json != NULL &&
         ol_jws_sign(key, OL_TYP_SYNC, json, &token, &len) == 0);
    ok(len <= 65536, "the largest body is within 64 KiB (%zu)", len);
    free(token);
    json_decref(json);
    ol_key_free(key);
}

static int
decode(const char *text, struct ol_error *err)
{
    static json_t *json;

    json_decref(json);
    json = text == NULL ? NULL : ol_json_parse(text, strlen(text), err);
    return json == NULL ? -EINVAL : sync_decode(json, &answer, err);
}

static void
test_decode(void)
{
    struct ol_error err = {""};

    is_int(decode("{\"seq\":17,\"epoch\":\"" EPOCH "\",\"clock\":121,"
                  "\"need\":\"full\",\"more\":true,\"contents\":["
                  "{\"root\":\"" ROOT "\",\"sub\":\"/a\",\"size\":5,"
                  "\"demand\":3},{\"root\":\"" ROOT "\",\"gone\":true}]}",
                  &err),
           0, "an answer with everything");
    ok(answer.seq == 17 && answer.clock == 121 && answer.need_full &&
           answer.more && answer.count == 2,
       "its members");
    is_int(answer.epoch[15], 15, "its epoch");
    ok(!answer.entries[0].gone && answer.entries[0].size == 5 &&
           answer.entries[0].root[1] == 0x11,
       "a content");
    is_str(answer.entries[0].sub, "/a", "its path");
    ok(answer.entries[1].gone, "a content that is gone");
    is_int(decode("{\"seq\":1,\"epoch\":\"" EPOCH "\",\"clock\":0}", &err), 0,
           "the least answer");
    ok(!answer.need_full && !answer.more && answer.count == 0, "says nothing");
    is_int(decode("{\"seq\":1,\"epoch\":\"" EPOCH "\",\"clock\":9,"
                  "\"nodes\":[{\"id\":\"" NODE "\",\"serial\":2,"
                  "\"bytes\":5,\"failed\":1}],"
                  "\"contents\":[{\"root\":\"" ROOT "\",\"sub\":\"/a\","
                  "\"size\":5,\"demand\":3,\"infohash\":\"" INFOHASH "\"}]}",
                  &err),
           0, "an answer with receipts and an infohash");
    ok(answer.entries[0].demand == 3 && answer.entries[0].has_infohash &&
           answer.entries[0].infohash[19] == 0x44,
       "a content's demand and infohash");
    ok(answer.account_count == 1 && answer.accounts[0].serial == 2 &&
           answer.accounts[0].bytes == 5 && answer.accounts[0].failed == 1,
       "an account");
    is_str(answer.accounts[0].node, NODE, "whose it is");
}

static void
test_refuse(void)
{
#define HEAD "{\"seq\":1,\"epoch\":\"" EPOCH "\",\"clock\":0,"
    static const char *const bad[] = {
        "{}",
        HEAD "\"nodes\":[{\"id\":\"x\",\"serial\":1,\"bytes\":5,"
             "\"failed\":0}]}",
        HEAD "\"nodes\":[{\"id\":\"" NODE "\",\"bytes\":5,\"failed\":0}]}",
        HEAD "\"contents\":[{\"root\":\"" ROOT "\",\"sub\":\"/a\","
             "\"size\":5,\"infohash\":\"f00d\"}]}",
        "{\"seq\":1,\"clock\":0}",
        "{\"seq\":1,\"epoch\":\"AAEC\",\"clock\":0}",
        "{\"seq\":\"1\",\"epoch\":\"" EPOCH "\",\"clock\":0}",
        HEAD "\"more\":1}",
        HEAD "\"need\":7}",
        HEAD "\"contents\":{}}",
        HEAD "\"contents\":[1]}",
        HEAD "\"contents\":[{\"root\":\"xy\",\"sub\":\"/\",\"size\":1}]}",
        HEAD "\"contents\":[{\"sub\":\"/\",\"size\":1}]}",
        HEAD "\"contents\":[{\"root\":\"" ROOT "\",\"size\":1}]}",
        HEAD "\"contents\":[{\"root\":\"" ROOT "\",\"sub\":\"/\",\"size\":0}]}",
        HEAD "\"contents\":[{\"root\":\"" ROOT "\",\"sub\":\"a\",\"size\":1}]}",
        HEAD "\"contents\":[{\"root\":\"" ROOT "\",\"gone\":0}]}",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ol_error err = {""};

        is_int(decode(bad[i], &err), -EBADMSG, "refused: %.60s", bad[i]);
        ok(err.text[0] != '\0', "because: %s", err.text);
    }
}

int
main(void)
{
    test_encode();
    test_size();
    test_decode();
    test_refuse();
    decode(NULL, NULL);
    return tap_done();
}

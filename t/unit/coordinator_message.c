/*
 * What a node's messages may say: everything that is refused has a reason, and
 * bitmaps are kept in the form that the store documents.
 */
#include "../../coordinator/nodes/message.c"

#include "tap.h"

#define KEY "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define ROOT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct message_heartbeat beat;
static struct message_register reg;
static json_t *json;

static const json_t *
parse(const char *text)
{
    json_decref(json);
    json = text == NULL ? NULL : json_loads(text, 0, NULL);
    must(text == NULL || json != NULL);
    return json;
}

static void
test_register(void)
{
    struct ol_error err = {""};

    is_int(message_register(
               parse("{\"seq\":1,\"key\":\"" KEY "\",\"url\":\"http://n:8100\","
                     "\"zone\":\"DE\",\"cidrs\":[\"192.0.2.0/24\",\"::1\"],"
                     "\"capacity\":5,\"rate\":0}"),
               &reg, &err),
           0, "a registration");
    is_int(reg.cidr_count, 2, "its networks");
    is_str(reg.zone, "DE", "its zone");
}

static void
test_terms(void)
{
    struct ol_error err = {""};

    is_int(reg.weight, 100, "absent: the whole weight");
    is_int(reg.site_count, 0, "absent: all sites");
    is_str(reg.invitation, "", "absent: no invitation");
    is_int(message_register(
               parse("{\"seq\":1,\"key\":\"" KEY "\",\"url\":\"http://n:8100\","
                     "\"capacity\":5,\"rate\":0,\"weight\":25,"
                     "\"invitation\":\"come in\",\"sites\":"
                     "[\"https://example.org\",\"http://a.example:81\"]}"),
               &reg, &err),
           0, "a registration with its terms");
    is_int(reg.weight, 25, "its weight");
    is_int(reg.site_count, 2, "its sites");
    is_str(reg.sites[1], "http://a.example:81", "the second one");
    is_str(reg.invitation, "come in", "its invitation");
}

static void
register_refused(const char *members, const char *why)
{
    struct ol_error err = {""};
    char text[400];

    snprintf(text, sizeof(text),
             "{\"seq\":1,\"key\":\"" KEY "\",\"capacity\":5,\"rate\":0,%s}",
             members);
    is_int(message_register(parse(text), &reg, &err), -EBADMSG, "refused: %s",
           members);
    has_str(err.text, why, "it says why");
}

static void
test_register_refused(void)
{
    register_refused("\"zone\":\"\"", "url: missing");
    register_refused("\"url\":\"ftp://n\"", "URL");
    register_refused("\"url\":\"http://n/\"", "must be");
    register_refused("\"url\":\"http://N\"", "must be");
    register_refused("\"url\":\"http://n/path\"", "URL");
    register_refused("\"url\":\"http://n:22\"", "port 22");
    register_refused("\"url\":\"http://n\",\"zone\":\"a b\"", "zone");
    register_refused("\"url\":\"http://n\",\"zone\":7", "zone");
    register_refused("\"url\":\"http://n\",\"cidrs\":[7]", "cidrs");
    register_refused("\"url\":\"http://n\",\"cidrs\":[\"1.2.3.4/40\"]", "");
    register_refused("\"url\":\"http://n\",\"cidrs\":{}", "cidrs");
    register_refused("\"url\":\"http://n\",\"weight\":0", "weight");
    register_refused("\"url\":\"http://n\",\"weight\":101", "weight");
    register_refused("\"url\":\"http://n\",\"sites\":[]", "sites");
    register_refused("\"url\":\"http://n\",\"sites\":[7]", "sites");
    register_refused("\"url\":\"http://n\",\"sites\":[\"http://X\"]",
                     "must be");
    register_refused("\"url\":\"http://n\",\"invitation\":7", "invitation");
}

#define LOAD "\"load\":{\"rate\":1,\"connections\":2,\"free\":3}"

static int
heartbeat(const char *members, struct ol_error *err)
{
    char text[1000];

    message_heartbeat_clear(&beat);
    snprintf(text, sizeof(text), "{\"seq\":9," LOAD "%s%s}",
             *members == '\0' ? "" : ",", members);
    return message_heartbeat(parse(text), &beat, err);
}

static void
test_heartbeat(void)
{
    struct ol_error err = {""};

    is_int(heartbeat("", &err), 0, "the least heartbeat");
    ok(beat.seq == 9 && beat.rate == 1 && beat.connections == 2 &&
           beat.free == 3 && beat.wait_ms == 0 && beat.holding_count == 0,
       "its members");
    is_str(beat.store, "", "no store");
    is_int(heartbeat("\"holdings\":[{\"root\":\"" ROOT "\"},{\"root\":\"" ROOT
                     "\",\"bitmap\":\"gA\",\"count\":9},{\"root\":\"" ROOT
                     "\",\"bitmap\":\"_w\",\"count\":8}],\"dropped\":[\"" ROOT
                     "\"],\"wait\":10000,\"store\":\"x\"",
                     &err),
           -EBADMSG, "a bitmap of another length");
    is_int(heartbeat("\"holdings\":[{\"root\":\"" ROOT "\"},{\"root\":\"" ROOT
                     "\",\"bitmap\":\"oIA\",\"count\":9},{\"root\":\"" ROOT
                     "\",\"bitmap\":\"_w\",\"count\":8}],\"dropped\":[\"" ROOT
                     "\"],\"wait\":10000,\"store\":\"x\"",
                     &err),
           0, "holdings");
    is_int(beat.holding_count, 3, "three");
    is_str(beat.holdings[0].bitmap, "", "a complete one");
    is_str(beat.holdings[1].bitmap, "3/9 oIA", "an incomplete one");
    is_str(beat.holdings[2].bitmap, "", "all bits set: complete");
    is_str(beat.holdings[1].root, ROOT, "its root");
    is_int(beat.dropped_count, 1, "one dropped");
}

#define EPOCH "\"epoch\":\"AAECAwQFBgcICQoLDA0ODw\","

static void
test_heartbeat_news(void)
{
    struct ol_error err = {""};

    ok(!beat.drain && beat.served_count == 0 && beat.wrong_count == 0,
       "absent: no drain, nothing served, nobody was wrong");
    is_int(heartbeat(EPOCH "\"drain\":true,\"served\":[{\"iss\":"
                           "\"https://example.org\",\"bytes\":77}],"
                           "\"wrong\":[{\"id\":\"" KEY "\",\"root\":\"" ROOT
                           "\"}]",
                     &err),
           0, "a heartbeat with news");
    ok(beat.drain, "it drains");
    is_int(beat.served_count, 1, "it served one site");
    is_str(beat.served[0].iss, "https://example.org", "that one");
    is_int(beat.served[0].bytes, 77, "that many bytes");
    is_int(beat.epoch[15], 15, "in that epoch");
    is_int(beat.wrong_count, 1, "one was wrong");
    is_str(beat.wrong[0].id, KEY, "that one");
    is_str(beat.wrong[0].root, ROOT, "about that content");
    is_int(heartbeat("\"drain\":false,\"served\":[],\"wrong\":[]", &err), 0,
           "empty lists need no epoch");
}

#define SERVED(entry) EPOCH "\"served\":[" entry "]"

static void
test_heartbeat_bounds(void)
{
    struct ol_error err = {""};
    char text[16000];
    size_t len = 0;

    len =
        (size_t)snprintf(text, sizeof(text), "{\"seq\":9," LOAD ",\"wrong\":[");
    for (int i = 0; i <= MESSAGE_WRONG; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "%s{\"id\":\"" KEY "\",\"root\":\"" ROOT "\"}",
                                i == 0 ? "" : ",");
    snprintf(text + len, sizeof(text) - len, "]}");
    message_heartbeat_clear(&beat);
    is_int(message_heartbeat(parse(text), &beat, &err), -EBADMSG,
           "one more that was wrong than may be told");
    len = (size_t)snprintf(text, sizeof(text),
                           "{\"seq\":9," LOAD "," EPOCH "\"served\":[");
    for (int i = 0; i <= MESSAGE_SERVED; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "%s{\"iss\":\"http://a%d\",\"bytes\":1}",
                                i == 0 ? "" : ",", i);
    snprintf(text + len, sizeof(text) - len, "]}");
    is_int(message_heartbeat(parse(text), &beat, &err), -EBADMSG,
           "one more site served than may be told");
}

static void
test_heartbeat_refused(void)
{
    static const char *const bad[] = {
        "\"wait\":10001",
        "\"wait\":-1",
        "\"store\":7",
        "\"holdings\":{}",
        "\"holdings\":[7]",
        "\"holdings\":[{}]",
        "\"holdings\":[{\"root\":\"00\"}]",
        "\"holdings\":[{\"root\":\"" ROOT "\",\"bitmap\":\"gA\"}]",
        "\"holdings\":[{\"root\":\"" ROOT "\",\"bitmap\":7,\"count\":1}]",
        "\"holdings\":[{\"root\":\"" ROOT "\",\"bitmap\":\"gB\",\"count\":1}]",
        "\"holdings\":[{\"root\":\"" ROOT
        "\",\"bitmap\":\"gA\",\"count\":262145}]",
        "\"dropped\":[7]",
        "\"dropped\":[\"" ROOT "0\"]",
        "\"dropped\":\"" ROOT "\"",
        "\"drain\":1",
        "\"served\":[{\"iss\":\"http://a\",\"bytes\":1}]",
        "\"epoch\":\"AA\",\"served\":[{\"iss\":\"http://a\",\"bytes\":1}]",
        SERVED("7"),
        SERVED("{\"bytes\":1}"),
        SERVED("{\"iss\":\"http://a\"}"),
        SERVED("{\"iss\":\"http://a/\",\"bytes\":1}"),
        SERVED("{\"iss\":\"http://a\",\"bytes\":-1}"),
        "\"wrong\":[7]",
        "\"wrong\":[{\"id\":\"x\",\"root\":\"" ROOT "\"}]",
        "\"wrong\":[{\"id\":\"" KEY "\"}]",
    };
    struct ol_error err;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err.text[0] = '\0';
        ok(heartbeat(bad[i], &err) < 0 && err.text[0] != '\0', "refused: %s",
           err.text);
    }
    message_heartbeat_clear(&beat);
    is_int(message_heartbeat(parse("{\"seq\":1}"), &beat, &err), -EBADMSG,
           "refused: no load");
}

int
main(void)
{
    test_register();
    test_terms();
    test_register_refused();
    test_heartbeat();
    test_heartbeat_news();
    test_heartbeat_bounds();
    test_heartbeat_refused();
    message_heartbeat_clear(&beat);
    parse(NULL);
    return tap_done();
}

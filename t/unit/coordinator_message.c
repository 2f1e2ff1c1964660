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
    test_register_refused();
    test_heartbeat();
    test_heartbeat_refused();
    message_heartbeat_clear(&beat);
    parse(NULL);
    return tap_done();
}

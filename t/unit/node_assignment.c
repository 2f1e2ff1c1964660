/* Assignments: what is taken, what is refused and why, and the stored form. */
#include "node/assignment.c"

#include "tap.h"

#define ROOT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const char good[] =
    "{\"iss\":\"https://example.org\",\"sub\":\"/a b/\xc3\xa4.iso\","
    "\"root\":\"" ROOT "\",\"size\":4194304,"
    "\"salt\":\"AAAAAAAAAAAAAAAAAAAAAA\","
    "\"nodes\":[{\"id\":\"" ID "\",\"url\":\"https://n1.example\"}]}";

static const struct {
    const char *member, *value, *why;
} bad[] = {
    {"iss", "\"https://example.org/\"", "iss"},
    {"iss", "\"https://EXAMPLE.org\"", "iss"},
    {"iss", "\"ftp://example.org\"", NULL},
    {"iss", "\"http://example.org:22\"", "port"},
    {"iss", "7", "iss"},
    {"sub", "\"a\"", "sub"},
    {"sub", "\"/a/../b\"", "sub"},
    {"sub", "\"/a//b\"", "sub"},
    {"sub", "\"/a\\nb\"", "sub"},
    {"root", "\"0123\"", "root"},
    {"root", "null", "root"},
    {"size", "0", "size"},
    {"size", "-1", "size"},
    {"size", "4398046511105", "size"},
    {"salt", "\"AAAA\"", "salt"},
    {"nodes", "{}", "nodes"},
    {"nodes", "[7]", "nodes"},
    {"nodes", "[{\"id\":\"" ID "\"}]", "url"},
    {"nodes", "[{\"id\":\"x\",\"url\":\"https://n1.example\"}]", "id"},
    {"nodes", "[{\"id\":\"" ID "\",\"url\":\"https://n1.example/x\"}]", NULL},
    {"coordinators", "[7]", "coordinators"},
};

static int
parse_with(const char *member, const char *value, struct ol_error *err)
{
    json_t *json = json_loads(good, 0, NULL), *other = NULL;
    struct assignment *a = NULL;
    int rc;

    must(json != NULL);
    if (value != NULL) {
        other = json_loads(value, JSON_DECODE_ANY, NULL);
        must(other != NULL);
        json_object_set_new(json, member, other);
    } else {
        json_object_del(json, member);
    }
    rc = assignment_from_json(json, &a, err);
    json_decref(json);
    assignment_unref(a);
    return rc;
}

static void
test_refused(void)
{
    static const char *const needed[] = {"iss",  "sub",  "root",
                                         "size", "salt", "nodes"};
    struct ol_error err;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_int(parse_with(bad[i].member, bad[i].value, &err), -EBADMSG,
               "%s: %s is refused", bad[i].member, bad[i].value);
        if (bad[i].why != NULL)
            has_str(err.text, bad[i].why, "and the reason names it");
    }
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        is_int(parse_with(needed[i], NULL, &err), -EBADMSG, "%s is needed",
               needed[i]);
}

static void
test_limits(void)
{
    json_t *json = json_loads(good, 0, NULL);
    json_t *nodes = json_object_get(json, "nodes");
    struct assignment *a;
    struct ol_error err;

    while (json_array_size(nodes) < OL_OWNERS_MAX)
        json_array_append(nodes, json_array_get(nodes, 0));
    is_int(assignment_from_json(json, &a, &err), 0, "64 nodes are taken");
    is_int(a->count, OL_OWNERS_MAX, "all of them");
    assignment_unref(a);
    json_array_append(nodes, json_array_get(nodes, 0));
    is_int(assignment_from_json(json, &a, &err), -EBADMSG, "65 are not");
    json_decref(json);
}

static void
test_stored(void)
{
    static const char *const urls[] = {"http://c1.example",
                                       "http://c2.example"};
    struct assignment *a, *b;
    struct ol_error err;
    char *text;

    is_int(assignment_parse(good, strlen(good), &a, &err), 0, "one is read");
    is_str(a->sub, "/a b/\xc3\xa4.iso", "its subject");
    is_int(a->count, 1, "its node");
    text = assignment_dump(a, urls, 2);
    must(text != NULL);
    is_int(assignment_parse(text, strlen(text), &b, &err), 0,
           "its stored form is read again");
    ok(assignment_equal(a, b), "it is the same");
    is_int(b->coordinator_count, 2, "with the coordinators");
    is_str(b->coordinators[1], urls[1], "by URL");
    free(text);
    b->salt[3] ^= 1;
    ok(!assignment_equal(a, b), "another salt is another assignment");
    assignment_unref(a);
    assignment_unref(b);
    is_int(assignment_parse("[]", 2, &a, &err), -EBADMSG, "no object");
}

static void
test_sources(void)
{
    static const char *const urls[] = {"https://c1.example"};
    json_t *json = json_loads(good, 0, NULL);
    struct assignment *a, *b, *c;
    struct ol_error err;
    char *text;

    must(json != NULL);
    json_object_set_new(
        json, "others",
        json_pack("[{s:s, s:s}]", "iss", "https://x.example", "sub", "/x"));
    must(assignment_from_json(json, &a, &err) == 0);
    is_int(a->other_count, 0, "a coordinator cannot name other sites");
    is_int(assignment_next(a, false, &b), -ENOENT, "there is no next one");
    is_int(assignment_add(a, "https://two.example", "/2", &b), 0, "a second");
    ok(assignment_is_from(b, "https://example.org", a->sub), "first as before");
    ok(assignment_knows(b, "https://two.example", "/2"), "both are known");
    ok(!assignment_knows(b, "https://two.example", "/3"), "not another file");
    text = assignment_dump(b, urls, 1);
    must(assignment_parse(text, strlen(text), &c, &err) == 0);
    ok(assignment_knows(c, "https://two.example", "/2"), "and stay so on disk");
    assignment_unref(c);
    must(assignment_inherit(a, b, &c) == 0);
    is_int(c->other_count, 1, "the others are inherited");
    assignment_unref(c);
    must(assignment_next(b, true, &c) == 0);
    ok(assignment_is_from(c, "https://two.example", "/2"), "the second first");
    ok(assignment_knows(c, a->iss, a->sub), "the first is kept at the end");
    assignment_unref(c);
    must(assignment_next(b, false, &c) == 0);
    ok(!assignment_knows(c, a->iss, a->sub), "or is gone");
    assignment_unref(c);
    for (int i = 0; i < 2; i++) {
        must(assignment_add(b, "https://more.example", "/", &c) == 0);
        assignment_unref(b);
        b = c;
    }
    is_int(assignment_add(b, "https://more.example", "/", &c), -ENOSPC,
           "four sites, not five");
    assignment_unref(b);
    assignment_unref(a);
    free(text);
    json_decref(json);
}

int
main(void)
{
    test_refused();
    test_limits();
    test_stored();
    test_sources();
    assignment_unref(NULL);
    return tap_done();
}

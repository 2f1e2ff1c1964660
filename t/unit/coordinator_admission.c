/*
 * The operator's two files: what a line may say, what is refused and why.
 */
#include "../../coordinator/nodes/admission_list.c"

#include "tap.h"

#define A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define B "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define TOKEN "correct-horse-battery"

static struct admission_list list;

static int
nodes(const char *text, struct ol_error *err)
{
    admission_list_clear(&list);
    return admission_nodes_parse(text, strlen(text), &list, err);
}

static int
tokens(const char *text, struct ol_error *err)
{
    admission_list_clear(&list);
    return admission_tokens_parse(text, strlen(text), &list, err);
}

static void
test_nodes(void)
{
    const struct admission_node *node;
    struct ol_error err = {""};

    is_int(nodes("", &err), 0, "an empty file");
    ok(admission_node_find(&list, A) == NULL, "admits nobody");
    is_int(
        nodes("# friends\n\n  " B "\tweight=250 zone=DE # a note\r\n" A, &err),
        0, "two nodes, comments, blanks, no last newline");
    is_int(list.node_count, 2, "two");
    node = admission_node_find(&list, B);
    ok(node != NULL && node->weight == 250, "the weight of one");
    is_str(node == NULL ? "" : node->zone, "DE", "its zone");
    node = admission_node_find(&list, A);
    ok(node != NULL && node->weight == 100 && node->zone[0] == '\0',
       "the other has neither");
    ok(admission_node_find(&list, "x") == NULL, "nobody else is there");
}

static void
test_many(void)
{
    static char text[100000];
    uint8_t raw[OL_KEY_BYTES] = {0};
    char id[OL_KEY_CHARS + 1];
    struct ol_error err = {""};
    size_t len = 0;

    for (unsigned i = 0; i < 1000; i++) {
        raw[0] = (uint8_t)(i * 7);
        raw[1] = (uint8_t)(i >> 8);
        raw[2] = (uint8_t)i;
        ol_base64url_encode(id, raw, sizeof(raw));
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\n", id);
    }
    is_int(nodes(text, &err), 0, "a thousand nodes");
    is_int(list.node_count, 1000, "all of them");
    ok(admission_node_find(&list, id) != NULL, "the last is found");
}

static void
test_tokens(void)
{
    const struct admission_token *token;
    struct ol_error err = {""};

    is_int(
        tokens(TOKEN " uses=5 until=2026-12-31\nsecond-second-second\n", &err),
        0, "two invitations");
    token = admission_token_find(&list, TOKEN, 1798761599);
    ok(token != NULL && token->uses == 5, "good on its last second");
    ok(admission_token_find(&list, TOKEN, 1798761600) == NULL, "and not after");
    token = admission_token_find(&list, "second-second-second", INT64_MAX - 1);
    ok(token != NULL && token->uses == 1, "one use, without an end");
    ok(admission_token_find(&list, "third-third-third", 0) == NULL, "no third");
    ok(admission_token_find(&list, "", 0) == NULL, "nor one without a name");
}

static void
test_refused(void)
{
    static const struct {
        int (*parse)(const char *text, struct ol_error *err);
        const char *text, *why;
    } bad[] = {
        {nodes, "\n\nnobody\n", "line 3: it does not begin with a node's id"},
        {nodes, A "=\n", "line 1: it does not begin"},
        {nodes, A " weight=0", "weight"},
        {nodes, A " weight=1001", "weight"},
        {nodes, A " weight=99999999999999999999", "weight"},
        {nodes, A " weight=", "weight"},
        {nodes, A " weight=-1", "weight"},
        {nodes, A " zone=", "zone"},
        {nodes, A " zone=ABCDEFGH", "zone"},
        {nodes, A " colour=red", "only weight= and zone="},
        {nodes, A " weight", "only weight= and zone="},
        {nodes, A " weight=1 zone=A weight=1 zone=B", "too many words"},
        {nodes, A "\n" B "\n" A "\n", "a node is there twice"},
        {tokens, "short", "line 1: a token has 16 to 128"},
        {tokens, TOKEN " uses=0", "uses"},
        {tokens, TOKEN " uses=10001", "uses"},
        {tokens, TOKEN " until=2026-02-30", "until"},
        {tokens, TOKEN " until=2026-1-1", "until"},
        {tokens, TOKEN " until=soon", "until"},
        {tokens, TOKEN " until=", "until"},
        {tokens, TOKEN " weight=1", "only uses= and until="},
        {tokens, TOKEN "\n" TOKEN, "a token is there twice"},
    };
    char line[700];
    struct ol_error err;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err.text[0] = '\0';
        is_int(bad[i].parse(bad[i].text, &err), -EINVAL, "refused, number %zu",
               i);
        has_str(err.text, bad[i].why, "it says why");
    }
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    is_int(nodes(line, &err), -EINVAL, "a line without end");
    admission_list_clear(&list);
    is_int(admission_nodes_parse("\0x", 2, &list, &err), -EINVAL, "a NUL");
}

int
main(void)
{
    test_nodes();
    test_many();
    test_tokens();
    test_refused();
    admission_list_clear(&list);
    return tap_done();
}

/*
 * Tickets: what is signed, to the letter; time at the second; form.
 */
#include "../../lib/ticket.c"

#include "tap.h"

#define ROOT_HEX                                                               \
    "1111111111111111111111111111111111111111111111111111111111111111"

static struct ol_key *key, *other, *stranger;
static struct ol_keyset keys;
static uint8_t root[OL_HASH_BYTES];

static void
test_expiry(void)
{
    is_int(ol_ticket_expiry(0), 1200, "at 0");
    is_int(ol_ticket_expiry(599), 1200, "at 599");
    is_int(ol_ticket_expiry(600), 1800, "at 600");
    is_int(ol_ticket_expiry(1790000000), 1790001000, "in 2026");
}

static void
test_signature(void)
{
    static const char text[] = "offload-ticket\n" ROOT_HEX "\n1790001000";
    char query[OL_TICKET_MAX];
    uint8_t sig[OL_SIG_BYTES];
    int64_t e;

    is_int(ol_ticket_sign(key, root, 1790001000, query), 0, "signed");
    ok(strncmp(query, "e=1790001000&s=", 15) == 0, "its form");
    is_int(ol_ticket_parse(query, strlen(query), &e, sig), 0, "parsed");
    is_int(e, 1790001000, "e");
    is_int(ol_key_verify(key, text, strlen(text), sig), 0,
           "the signature is over just that text, without a newline");
    is_int(ol_ticket_sign(keys.keys[0], root, 1, query), -EINVAL,
           "a public key cannot sign");
}

static void
test_time_and_keys(void)
{
    const int64_t e = 1790001000;
    char query[OL_TICKET_MAX];
    struct ol_error err;
    uint8_t wrong[OL_HASH_BYTES] = {0};
    size_t len;
    int taken = 0;

    must(ol_ticket_sign(other, root, e, query) == 0);
    len = strlen(query);
    is_int(ol_ticket_check(&keys, root, query, len, e, &err), 0,
           "by the site's second key, in its last second");
    is_int(ol_ticket_check(&keys, root, query, len, e + 1, &err), -ETIME,
           "one later");
    has_str(err.text, "expired 1 s ago", "which it says");
    is_int(ol_ticket_check(&keys, root, query, len, e - 1260, &err), 0,
           "1260 s ahead");
    is_int(ol_ticket_check(&keys, root, query, len, e - 1261, &err), -ETIME,
           "1261 s ahead");
    is_int(ol_ticket_check(&keys, wrong, query, len, e, &err), -EKEYREJECTED,
           "for another root");
    for (size_t bit = 0; bit < 8 * len; bit++) {
        query[bit / 8] ^= (char)(1 << bit % 8);
        taken += ol_ticket_check(&keys, root, query, len, e, NULL) == 0;
        query[bit / 8] ^= (char)(1 << bit % 8);
    }
    is_int(taken, 0, "no flipped bit is taken");

    must(ol_ticket_sign(stranger, root, e, query) == 0);
    is_int(ol_ticket_check(&keys, root, query, len, e, &err), -EKEYREJECTED,
           "by a stranger");
    has_str(err.text, "none of the site's 2 keys", "which it says");
}

static void
test_form(void)
{
    static const char *const forms[] = {
        "e=1&s=%s&x=1", "s=%s&e=1",   "e=1&s=%s#",
        "e=1&S=%s",     "e=01&s=%s",  "e=&s=%s",
        "e=+1&s=%s",    "e=-1&s=%s",  "e=1%%&s=%s",
        "?e=1&s=%s",    " e=1&s=%s",  "e=1&&s=%s",
        "e=1;&s=%s",    "e=1,s=%s",   "e=0&s=%s",
        "e=0x1&s=%s",   "e=1.0&s=%s", "e=1000000000000000&s=%s",
        "e=1&s=",       "e=1&s=%s=",  "e=99999999999999999999&s=%s",
        "e=1",          "e=",         "",
        "e=1&s=A%s",
    };
    char sig[87], query[200];
    struct ol_error err;
    int64_t e = 77;
    uint8_t bytes[OL_SIG_BYTES] = {0};

    ol_base64url_encode(sig, bytes, sizeof(bytes));
    snprintf(query, sizeof(query), "e=999999999999999&s=%s", sig);
    is_int(ol_ticket_parse(query, strlen(query), &e, bytes), 0, "15 digits");
    is_int(e, 999999999999999, "are read");
    query[17] = ';';
    is_int(ol_ticket_parse(query, strlen(query), &e, bytes), 0, "';' for '&'");
    e = 77;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        const char *at = strstr(forms[i], "%s");

        snprintf(query, sizeof(query), "%.*s%s%s",
                 at != NULL ? (int)(at - forms[i]) : 99, forms[i],
                 at != NULL ? sig : "", at != NULL ? at + 2 : "");
        is_int(ol_ticket_parse(query, strlen(query), &e, bytes), -EBADMSG,
               "refused: %s", forms[i]);
    }
    is_int(e, 77, "no failure writes");
    is_int(ol_ticket_check(&keys, root, "e=1", 3, 1, &err), -EBADMSG, "form");
}

int
main(void)
{
    must(ol_key_generate(&key) == 0 && ol_key_generate(&other) == 0);
    must(ol_key_generate(&stranger) == 0);
    keys.count = 2;
    must(ol_key_from_x(ol_key_x(key), OL_KEY_CHARS, &keys.keys[0], NULL) == 0);
    must(ol_key_from_x(ol_key_x(other), OL_KEY_CHARS, &keys.keys[1], NULL) ==
         0);
    memset(root, 0x11, sizeof(root));
    test_expiry();
    test_signature();
    test_time_and_keys();
    test_form();
    ol_keyset_clear(&keys);
    ol_key_free(key);
    ol_key_free(other);
    ol_key_free(stranger);
    return tap_done();
}

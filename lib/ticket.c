/*
 * Tickets: made by a site, checked by nodes.  Pure: the time is passed in, and
 * whoever wants to check each ticket only once remembers it himself.
 */
#include "offload/ticket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "offload/encoding.h"

#define TEXT_MAX 128
#define SIG_CHARS OL_BASE64URL_LEN(OL_SIG_BYTES)
#define TIME_DIGITS 15 /* below 2^53 */

int64_t
ol_ticket_expiry(int64_t now)
{
    return (now / OL_TICKET_WINDOW_S + 2) * OL_TICKET_WINDOW_S;
}

/* What is signed; returns its length. */
static size_t
ticket_text(const uint8_t root[OL_HASH_BYTES], int64_t e, char dst[TEXT_MAX])
{
    char hex[OL_ROOT_HEX + 1];

    ol_hex_encode(hex, root, OL_HASH_BYTES);
    return (size_t)snprintf(dst, TEXT_MAX, "offload-ticket\n%s\n%lld", hex,
                            (long long)e);
}

int
ol_ticket_sign(const struct ol_key *key, const uint8_t root[OL_HASH_BYTES],
               int64_t e, char ret[OL_TICKET_MAX])
{
    char text[TEXT_MAX], encoded[SIG_CHARS + 1];
    uint8_t sig[OL_SIG_BYTES];
    int rc = ol_key_sign(key, text, ticket_text(root, e, text), sig);

    if (rc < 0)
        return rc;
    ol_base64url_encode(encoded, sig, sizeof(sig));
    snprintf(ret, OL_TICKET_MAX, "e=%lld&s=%s", (long long)e, encoded);
    return 0;
}

int
ol_ticket_parse(const char *query, size_t len, int64_t *ret_e,
                uint8_t ret_sig[OL_SIG_BYTES])
{
    uint8_t sig[OL_SIG_BYTES];
    int64_t e = 0;
    size_t i = 2;

    if (len < 2 || memcmp(query, "e=", 2) != 0)
        return -EBADMSG;
    while (i < len && i - 2 < TIME_DIGITS && query[i] >= '0' && query[i] <= '9')
        e = e * 10 + (query[i++] - '0');
    /* One spelling for each number: no leading zero, nor an empty one. */
    if (i == 2 || query[2] == '0')
        return -EBADMSG;
    if (len - i < 3 || (query[i] != '&' && query[i] != ';') ||
        memcmp(query + i + 1, "s=", 2) != 0)
        return -EBADMSG;
    i += 3;
    if (ol_base64url_decode_exact(sig, sizeof(sig), query + i, len - i) < 0)
        return -EBADMSG;

    *ret_e = e;
    memcpy(ret_sig, sig, sizeof(sig));
    return 0;
}

int
ol_ticket_check(const struct ol_keyset *keys, const uint8_t root[OL_HASH_BYTES],
                const char *query, size_t len, int64_t now,
                struct ol_error *err)
{
    char text[TEXT_MAX];
    uint8_t sig[OL_SIG_BYTES];
    size_t text_len;
    int64_t e;

    if (ol_ticket_parse(query, len, &e, sig) < 0)
        return ol_error_set(err, EBADMSG, "ticket: not of the form e=..&s=..");
    if (e < now)
        return ol_error_set(err, ETIME, "ticket: expired %lld s ago",
                            (long long)(now - e));
    if (e - now > OL_TICKET_AHEAD_S)
        return ol_error_set(err, ETIME, "ticket: %lld s ahead, more than %d",
                            (long long)(e - now), OL_TICKET_AHEAD_S);

    text_len = ticket_text(root, e, text);
    for (size_t i = 0; i < keys->count; i++) {
        int rc = ol_key_verify(keys->keys[i], text, text_len, sig);

        if (rc == 0)
            return 0;
        if (rc != -EKEYREJECTED)
            return ol_error_set(err, -rc, "ticket: could not be checked");
    }
    return ol_error_set(err, EKEYREJECTED,
                        "ticket: signed by none of the site's %zu keys",
                        keys->count);
}

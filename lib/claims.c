/*
 * Claims that all messages share: time, and strings that must match.  Pure:
 * the time is passed in.
 */
#include "offload/jws.h"

#include <errno.h>
#include <string.h>

#include "offload/json.h"

#define TIME_MAX ((UINT64_C(1) << 53) - 1)

int
ol_claims_check_time(const json_t *payload, int64_t now, struct ol_error *err)
{
    uint64_t iat, exp;

    if (ol_json_uint(payload, "iat", TIME_MAX, &iat, err) < 0 ||
        ol_json_uint(payload, "exp", TIME_MAX, &exp, err) < 0)
        return -EBADMSG;
    if (exp < iat)
        return ol_error_set(err, EBADMSG, "exp: before iat");
    if ((int64_t)iat - OL_LEEWAY_S > now)
        return ol_error_set(err, ETIME,
                            "iat: %lld s in the future; is a clock "
                            "wrong?",
                            (long long)iat - now);
    if ((int64_t)exp + OL_LEEWAY_S <= now)
        return ol_error_set(err, ETIME, "exp: expired %lld s ago",
                            (long long)now - (long long)exp);
    return 0;
}

int
ol_claims_check_string(const json_t *payload, const char *name,
                       const char *expected, struct ol_error *err)
{
    const char *text;

    if (ol_json_string(payload, name, OL_JWS_MAX, &text, err) < 0)
        return -EBADMSG;
    if (strcmp(text, expected) != 0)
        return ol_error_set(err, EBADMSG, "%s: \"%.80s\", not \"%.80s\"", name,
                            text, expected);
    return 0;
}

/*
 * Claims: times at the second, and strings that must match.
 */
#include "../../lib/claims.c"

#include "tap.h"

static void
is_time(const char *iat_exp, int64_t now, int code, const char *why)
{
    struct ol_error err = {""};
    json_t *payload = json_loads(iat_exp, 0, NULL);

    must(payload != NULL);
    is_int(ol_claims_check_time(payload, now, &err), -code, "%s at %lld",
           iat_exp, (long long)now);
    has_str(err.text, why, "the reason");
    json_decref(payload);
}

int
main(void)
{
    static const char good[] = "{\"iat\": 1000, \"exp\": 2000}";
    struct ol_error err;
    json_t *payload;

    is_time(good, 1000, 0, "");
    is_time(good, 940, 0, "");
    is_time(good, 939, ETIME, "iat: 61 s in the future");
    is_time(good, 2059, 0, "");
    is_time(good, 2060, ETIME, "exp: expired 60 s ago");
    is_time(good, INT64_MAX, ETIME, "expired");
    is_time(good, 0, ETIME, "in the future");
    is_time("{\"iat\": 5, \"exp\": 5}", 5, 0, "");
    is_time("{\"iat\": 5, \"exp\": 4}", 5, EBADMSG, "before iat");
    is_time("{\"iat\": 5}", 5, EBADMSG, "exp: missing");
    is_time("{\"exp\": 5}", 5, EBADMSG, "iat: missing");
    is_time("{\"iat\": \"5\", \"exp\": 5}", 5, EBADMSG, "not an integer");
    is_time("{\"iat\": 5.0, \"exp\": 5}", 5, EBADMSG, "not an integer");
    is_time("{\"iat\": -1, \"exp\": 5}", 5, EBADMSG, "iat: not within");
    is_time("{\"iat\": 5, \"exp\": 9007199254740991}", 5, 0, "");
    is_time("{\"iat\": 5, \"exp\": 9007199254740992}", 5, EBADMSG, "within");
    is_time("{\"iat\": 5, \"exp\": 9223372036854775807}", 5, EBADMSG, "within");

    payload = json_pack("{s:s, s:i}", "aud", "me", "n", 1);
    is_int(ol_claims_check_string(payload, "aud", "me", &err), 0, "for me");
    is_int(ol_claims_check_string(payload, "aud", "you", &err), -EBADMSG, "no");
    is_str(err.text, "aud: \"me\", not \"you\"", "says both");
    is_int(ol_claims_check_string(payload, "aud", "m", &err), -EBADMSG,
           "not a beginning");
    is_int(ol_claims_check_string(payload, "iss", "me", &err), -EBADMSG,
           "absent");
    is_int(ol_claims_check_string(payload, "n", "1", &err), -EBADMSG,
           "no string");
    json_decref(payload);
    return tap_done();
}

/*
 * The checks of a manifest.
 *
 * Owns their order and names.  A check that rests on a failed one is skipped,
 * but fields are shown even of what was not signed, and never used then.
 */
#include "client/verify.h"

#include <errno.h>
#include <string.h>

const char *
verify_name(enum verify_check check)
{
    static const char *const names[VERIFY_CHECKS] = {
        "form", "keys", "signature", "time", "fields", "iss", "sub"};

    return names[check];
}

static void
note(struct verdict *verdict, enum verify_check check, enum outcome outcome)
{
    if (outcome == OUTCOME_OK) {
        verdict->results[check] = VERIFY_OK;
        return;
    }
    verdict->results[check] = VERIFY_FAILED;
    if (verdict->outcome == OUTCOME_OK)
        verdict->outcome = outcome;
}

static enum outcome
refused_unless(int rc)
{
    return rc == 0 ? OUTCOME_OK : OUTCOME_REFUSED;
}

static void
check_signature(struct session *session, struct site *site,
                struct verdict *verdict)
{
    struct ol_error *why = &verdict->reasons[VERIFY_SIGNATURE];
    const struct ol_key *key;
    bool fresh = site->keys.count == 0;

    if (fresh) {
        enum outcome outcome =
            site_fetch_keys(session, site, &verdict->reasons[VERIFY_KEYS]);

        note(verdict, VERIFY_KEYS, outcome);
        if (outcome != OUTCOME_OK)
            return;
    }
    note(verdict, VERIFY_KEYS, OUTCOME_OK);
    key = ol_keyset_find(&site->keys, verdict->jws.kid);
    if (key == NULL && !fresh) {
        struct ol_error ignored; /* an old key set is not worse than before */

        site_fetch_keys(session, site, &ignored);
        key = ol_keyset_find(&site->keys, verdict->jws.kid);
    }
    if (key == NULL)
        ol_error_set(why, ENOKEY, "kid \"%s\" is none of the site's keys",
                     verdict->jws.kid);
    note(verdict, VERIFY_SIGNATURE,
         refused_unless(key == NULL ? -ENOKEY
                                    : ol_jws_verify(&verdict->jws, key, why)));
}

static int
check_sub(const struct site *site, const char *url, const char *sub,
          struct ol_error *err)
{
    const char *path = url + site->origin.consumed;
    char asked[OL_SUB_MAX + 1];
    size_t len = strcspn(path, "?#"), asked_len;

    if (len == 0) {
        path = "/";
        len = 1;
    }
    if (ol_subject_normalise(path, len, asked, sizeof(asked), &asked_len) != 0)
        return ol_error_set(err, EINVAL, "the URL's path has no normal form");
    if (strlen(sub) != asked_len || memcmp(sub, asked, asked_len) != 0)
        return ol_error_set(err, EBADMSG, "\"%.100s\", not \"%.100s\"", sub,
                            asked);
    return 0;
}

void
verify_manifest(struct session *session, struct site *site, const char *url,
                const char *token, size_t len, int64_t now, struct verdict *ret)
{
    struct ol_error *reasons = ret->reasons;
    struct ol_manifest *manifest = &ret->manifest;

    memset(ret, 0, sizeof(*ret));
    ret->has_jws = ol_jws_parse(token, len, OL_TYP_MANIFEST, &ret->jws,
                                &reasons[VERIFY_FORM]) == 0;
    note(ret, VERIFY_FORM, refused_unless(ret->has_jws ? 0 : -EBADMSG));
    if (!ret->has_jws)
        return;
    check_signature(session, site, ret);
    note(ret, VERIFY_TIME,
         refused_unless(ol_claims_check_time(ret->jws.payload, now,
                                             &reasons[VERIFY_TIME])));
    ret->has_manifest = ol_manifest_from_json(ret->jws.payload, manifest,
                                              &reasons[VERIFY_FIELDS]) == 0;
    note(ret, VERIFY_FIELDS, refused_unless(ret->has_manifest ? 0 : -EBADMSG));
    if (!ret->has_manifest)
        return;
    if (ret->results[VERIFY_SIGNATURE] == VERIFY_OK)
        note(ret, VERIFY_ISS,
             site_check_iss(session, site, manifest->iss, now,
                            &reasons[VERIFY_ISS]));
    note(ret, VERIFY_SUB,
         refused_unless(
             check_sub(site, url, manifest->sub, &reasons[VERIFY_SUB])));
}

void
verdict_explain(const struct verdict *verdict, struct ol_error *err)
{
    for (int i = 0; i < VERIFY_CHECKS; i++)
        if (verdict->results[i] == VERIFY_FAILED) {
            ol_error_set(err, EBADMSG, "manifest refused: %s: %s",
                         verify_name((enum verify_check)i),
                         verdict->reasons[i].text);
            return;
        }
}

void
verdict_clear(struct verdict *verdict)
{
    if (verdict->has_manifest)
        ol_manifest_clear(&verdict->manifest);
    if (verdict->has_jws)
        ol_jws_clear(&verdict->jws);
    memset(verdict, 0, sizeof(*verdict));
}

/*
 * Key set, site document and piece tables, fetched and checked.
 *
 * Owns their paths.  Knows nothing of what they are used for.
 */
#include "client/site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offload/encoding.h"
#include "offload/json.h"
#include "offload/jws.h"

#define WELL_KNOWN "/.well-known/offload/"
#define NAMES_MAX 64
#define URL_CAP (OL_URL_MAX + 512)

static enum outcome
ask_ok(struct session *session, const char *url, size_t max_body,
       struct answer *ret, struct ol_error *err)
{
    enum outcome outcome = session_ask(session, url, NULL, max_body, ret, err);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (ret->status != 200) {
        ol_error_set(err, EPROTO, "%s: HTTP status %d", url, ret->status);
        return OUTCOME_HTTP;
    }
    return OUTCOME_OK;
}

enum outcome
site_fetch_keys(struct session *session, struct site *site,
                struct ol_error *err)
{
    char url[URL_CAP];
    struct ol_error why;
    struct ol_keyset keys;
    struct answer answer;
    enum outcome outcome;

    snprintf(url, sizeof(url), "%s" WELL_KNOWN "key", site->origin.text);
    outcome = ask_ok(session, url, 0, &answer, err);
    if (outcome == OUTCOME_OK &&
        ol_keyset_parse(answer.body, answer.body_len, &keys, &why) != 0) {
        ol_error_set(err, EBADMSG, "%s: %s", url, why.text);
        outcome = OUTCOME_REFUSED;
    }
    answer_clear(&answer);
    if (outcome != OUTCOME_OK)
        return outcome;
    site_clear(site);
    site->keys = keys;
    return OUTCOME_OK;
}

void
site_clear(struct site *site)
{
    ol_keyset_clear(&site->keys);
}

static int
names_contain(const json_t *payload, const char *name, struct ol_error *err)
{
    json_t *names, *item;
    size_t i;
    int rc = ol_json_array(payload, "names", NAMES_MAX, &names, err);

    if (rc != 0)
        return rc;
    json_array_foreach(names, i, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), name) == 0)
            return 0;
    }
    return ol_error_set(err, EBADMSG, "%s is none of the site's names", name);
}

static int
check_document(const struct site *site, const struct answer *answer,
               const char *iss, int64_t now, struct ol_error *err)
{
    struct ol_jws jws;
    int rc = ol_jws_open(answer->body, answer->body_len, OL_TYP_SITE,
                         &site->keys, &jws, err);

    if (rc != 0)
        return rc;
    rc = ol_claims_check_time(jws.payload, now, err);
    if (rc == 0)
        rc = names_contain(jws.payload, site->origin.text, err);
    if (rc == 0)
        rc = names_contain(jws.payload, iss, err);
    ol_jws_clear(&jws);
    return rc;
}

enum outcome
site_check_iss(struct session *session, const struct site *site,
               const char *iss, int64_t now, struct ol_error *err)
{
    char url[URL_CAP];
    struct ol_error why;
    struct answer answer;
    enum outcome outcome;

    if (strcmp(iss, site->origin.text) == 0)
        return OUTCOME_OK;
    snprintf(url, sizeof(url), "%s" WELL_KNOWN "site", site->origin.text);
    outcome = ask_ok(session, url, OL_JWS_MAX, &answer, &why);
    if (outcome == OUTCOME_OK &&
        check_document(site, &answer, iss, answer.date ? answer.date : now,
                       &why) != 0)
        outcome = OUTCOME_REFUSED;
    answer_clear(&answer);
    if (outcome != OUTCOME_OK) {
        ol_error_set(err, EBADMSG, "\"%.80s\" is not %.60s: %s", iss,
                     site->origin.text, why.text);
        return outcome == OUTCOME_INTERRUPTED ? outcome : OUTCOME_REFUSED;
    }
    return OUTCOME_OK;
}

static enum outcome
table_at(struct session *session, const char *url,
         const struct ol_manifest *manifest, uint8_t **ret,
         struct ol_error *err)
{
    size_t len = (size_t)ol_piece_count(manifest->size) * OL_HASH_BYTES;
    struct ol_error why;
    struct answer answer;
    enum outcome outcome = ask_ok(session, url, len, &answer, err);

    if (outcome == OUTCOME_OK &&
        ol_table_check((const uint8_t *)answer.body, answer.body_len,
                       manifest->size, manifest->root, &why) != 0) {
        ol_error_set(err, EBADMSG, "%s: %s", url, why.text);
        outcome = OUTCOME_REFUSED;
    }
    if (outcome == OUTCOME_OK) {
        *ret = (uint8_t *)answer.body;
        answer.body = NULL;
    }
    answer_clear(&answer);
    return outcome;
}

enum outcome
site_fetch_table(struct session *session, const struct site *site,
                 const struct ol_manifest *manifest, uint8_t **ret,
                 struct ol_error *err)
{
    const char *query = strchr(manifest->path, '?');
    size_t len = (size_t)ol_piece_count(manifest->size) * OL_HASH_BYTES;
    char root[OL_ROOT_HEX + 1], url[URL_CAP];
    enum outcome outcome;

    if (manifest->table != NULL) {
        *ret = malloc(len);
        if (*ret == NULL) {
            ol_error_set(err, ENOMEM, "no memory for the piece table");
            return OUTCOME_MEMORY;
        }
        memcpy(*ret, manifest->table, len);
        return OUTCOME_OK;
    }
    ol_hex_encode(root, manifest->root, OL_HASH_BYTES);
    snprintf(url, sizeof(url), "%s" WELL_KNOWN "pieces/%s", site->origin.text,
             root);
    outcome = table_at(session, url, manifest, ret, err);
    for (size_t i = 0; i < manifest->peer_count; i++) {
        struct ol_error ignored; /* the origin's failure is what is told */

        if (outcome == OUTCOME_OK || outcome == OUTCOME_INTERRUPTED)
            break;
        snprintf(url, sizeof(url), "%s/c/%s/pieces%s", manifest->peers[i].url,
                 root, query != NULL ? query : "");
        if (table_at(session, url, manifest, ret, &ignored) == OUTCOME_OK)
            outcome = OUTCOME_OK;
    }
    return outcome;
}

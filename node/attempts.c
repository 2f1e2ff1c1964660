/*
 * Assignments that failed (attempts.h).
 *
 * Owns: the pauses.  Must not know why anything fails.
 */
#include "node/attempts.h"

#include <string.h>

#include "offload/manifest.h"
#include "offload/origin.h"

#define DOUBLED_MOST 9

/* Not by root alone: one site's failure must not keep another one out. */
static void
what_of(const struct assignment *a, uint8_t ret[OL_HASH_BYTES])
{
    uint8_t text[OL_HASH_BYTES + OL_ORIGIN_MAX + OL_SUB_MAX + 2];
    size_t iss = strlen(a->iss) + 1, sub = strlen(a->sub);

    memcpy(text, a->root, OL_HASH_BYTES);
    memcpy(text + OL_HASH_BYTES, a->iss, iss);
    memcpy(text + OL_HASH_BYTES + iss, a->sub, sub);
    ol_sha256(text, OL_HASH_BYTES + iss + sub, ret);
}

static uint32_t
place_of(const uint8_t what[OL_HASH_BYTES])
{
    uint32_t place;

    memcpy(&place, what, sizeof(place));
    return place % ATTEMPTS_KEPT;
}

bool
attempts_wait(const struct attempts *attempts, const struct assignment *a,
              uint64_t now_ms)
{
    uint8_t what[OL_HASH_BYTES];
    const struct attempt *attempt;

    what_of(a, what);
    attempt = &attempts->list[place_of(what)];
    return memcmp(attempt->what, what, OL_HASH_BYTES) == 0 &&
           now_ms < attempt->until_ms;
}

bool
attempts_failed(struct attempts *attempts, const struct assignment *a,
                bool soon, uint64_t now_ms)
{
    uint8_t what[OL_HASH_BYTES];
    struct attempt *attempt;
    uint64_t pause;

    what_of(a, what);
    attempt = &attempts->list[place_of(what)];
    if (memcmp(attempt->what, what, OL_HASH_BYTES) != 0)
        attempt->times = 0;
    memcpy(attempt->what, what, OL_HASH_BYTES);
    pause = ATTEMPTS_MIN_MS
            << (attempt->times < DOUBLED_MOST ? attempt->times : DOUBLED_MOST);
    if (pause > ATTEMPTS_MAX_MS)
        pause = ATTEMPTS_MAX_MS;
    if (!soon)
        attempt->times++;
    attempt->until_ms = now_ms + (soon ? ATTEMPTS_SOON_MS : pause);
    return attempt->times == 1;
}

/* Assignments that failed: when each is tried again. */
#include "node/attempts.c"

#include "tap.h"

static struct attempts attempts;

static uint64_t
pause_after(struct assignment *a, bool soon, uint64_t now_ms)
{
    uint64_t at = now_ms;

    attempts_failed(&attempts, a, soon, now_ms);
    while (attempts_wait(&attempts, a, at))
        at += 500;
    return at - now_ms;
}

int
main(void)
{
    struct assignment a = {.iss = "https://a.example", .sub = "/f"};
    struct assignment other = {.iss = "https://a.example", .sub = "/g"};
    uint64_t now = 1000;

    ok(!attempts_wait(&attempts, &a, now), "nothing has failed");
    ok(attempts_failed(&attempts, &a, false, now), "the first failure");
    ok(attempts_wait(&attempts, &a, now + ATTEMPTS_MIN_MS - 1),
       "is waited for");
    ok(!attempts_wait(&attempts, &a, now + ATTEMPTS_MIN_MS), "so long");
    ok(!attempts_wait(&attempts, &other, now), "another file is not");
    other = a;
    other.iss = "https://b.example";
    ok(!attempts_wait(&attempts, &other, now), "nor one of another site");
    ok(!attempts_failed(&attempts, &a, false, now), "the second failure");
    is_int((long long)pause_after(&a, true, now), ATTEMPTS_SOON_MS,
           "soon, if the site is not ready");
    is_int((long long)pause_after(&a, false, now), 4 * ATTEMPTS_MIN_MS,
           "which does not count; else the pause doubles");
    for (int i = 0; i < 40; i++)
        attempts_failed(&attempts, &a, false, now);
    is_int((long long)pause_after(&a, false, now), ATTEMPTS_MAX_MS,
           "up to its bound");
    for (unsigned i = 0; i < 20 * ATTEMPTS_KEPT; i++) {
        memcpy(other.root, &i, sizeof(i));
        attempts_failed(&attempts, &other, false, now);
    }
    ok(!attempts_wait(&attempts, &a, now), "many others take its place");
    return tap_done();
}

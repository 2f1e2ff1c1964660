/*
 * TAP for C unit tests.  The plan comes last, so a test that crashes reads as
 * "no plan".  A test includes the .c file under test, calls these, and ends
 * main with: return tap_done();
 *
 * Every check takes a printf-like name.  Loops over thousands of cases should
 * count failures and check the count, with diag() for the first few.
 */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_run, tap_failed;

/* A remark, which prove shows. */
__attribute__((unused, format(printf, 1, 2))) static void
diag(const char *fmt, ...)
{
    va_list args;

    fputs("# ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

/* Returns what it was told, so that a caller may give up. */
__attribute__((format(printf, 4, 5))) static inline bool
tap_check(bool good, const char *file, int line, const char *fmt, ...)
{
    va_list args;

    printf("%sok %d - ", good ? "" : "not ", ++tap_run);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
    if (!good) {
        tap_failed++;
        diag("failed at %s line %d", file, line);
    }
    return good;
}

#define ok(cond, ...) tap_check((cond), __FILE__, __LINE__, __VA_ARGS__)

#define is_int(got, want, ...)                                                 \
    do {                                                                       \
        long long tap_got = (long long)(got), tap_want = (long long)(want);    \
                                                                               \
        if (!ok(tap_got == tap_want, __VA_ARGS__))                             \
            diag("got %lld, expected %lld", tap_got, tap_want);                \
    } while (0)

#define is_str(got, want, ...)                                                 \
    do {                                                                       \
        const char *tap_got = (got), *tap_want = (want);                       \
                                                                               \
        if (!ok(tap_got != NULL && strcmp(tap_got, tap_want) == 0,             \
                __VA_ARGS__))                                                  \
            diag("got \"%s\", expected \"%s\"",                                \
                 tap_got != NULL ? tap_got : "(null)", tap_want);              \
    } while (0)

#define is_mem(got, want, len, ...)                                            \
    ok(memcmp((got), (want), (len)) == 0, __VA_ARGS__)

/* The text is there, and holds this. */
#define has_str(text, part, ...)                                               \
    do {                                                                       \
        const char *tap_text = (text), *tap_part = (part);                     \
                                                                               \
        if (!ok(tap_text != NULL && strstr(tap_text, tap_part) != NULL,        \
                __VA_ARGS__))                                                  \
            diag("\"%s\" is not in \"%s\"", tap_part,                          \
                 tap_text != NULL ? tap_text : "(null)");                      \
    } while (0)

/* Stops a test that cannot go on; without a plan its file fails, no other. */
#define must(cond)                                                             \
    do {                                                                       \
        if (!(cond)) {                                                         \
            ok(0, "%s line %d: %s", __FILE__, __LINE__, #cond);                \
            exit(255);                                                         \
        }                                                                      \
    } while (0)

static inline int
tap_done(void)
{
    printf("1..%d\n", tap_run);
    return tap_failed == 0 ? 0 : 1;
}

#endif

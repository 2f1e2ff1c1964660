/* Log lines: their form, the level, one line a second per kind. */
#include "net/log.c"

#include <stdlib.h>

#include "tap.h"

static FILE *captured;

/* What was logged since the last call. */
static const char *
logged(void)
{
    static char text[8192];
    size_t n;

    fseek(captured, 0, SEEK_SET);
    n = fread(text, 1, sizeof(text) - 1, captured);
    text[n] = '\0';
    must(ftruncate(fileno(captured), 0) == 0);
    lseek(STDERR_FILENO, 0, SEEK_SET);
    return text;
}

static void
test_lines(void)
{
    char longer[5000];
    const char *text;

    log_info("a %s and %d", "word", 42);
    text = logged();
    ok(strlen(text) == 20 + 1 + 6 + 13 + 1 && text[4] == '-' && text[19] == 'Z',
       "a time in front");
    has_str(text, "Z info: a word and 42\n", "then the level and the text");
    log_debug("nothing");
    is_str(logged(), "", "below the level nothing is written");
    log_set_level(LOG_DEBUG_);
    log_debug("something");
    has_str(logged(), "debug: something\n", "until it is lowered");
    log_set_level(LOG_INFO_);
    log_warn("evil\nerror: forged\x1b[31m");
    has_str(logged(), "warn: evil?error: forged?[31m\n",
            "control characters cannot forge a line");
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    log_error("%s", longer);
    text = logged();
    is_int(strlen(text), LINE_MAX_BYTES - 1, "a long one is cut");
    is_int(text[LINE_MAX_BYTES - 2], '\n', "and still ends");
}

static void
test_limit(void)
{
    static struct log_kind kind = {"kind", 0, 0}, other = {"other", 0, 0};
    unsigned lines = 0;

    for (int i = 0; i < 100; i++)
        log_limited(&kind, LOG_WARN_, "again %d", i);
    log_limited(&other, LOG_WARN_, "another kind");
    for (const char *p = logged(); (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    is_int(lines, 2, "one line of each kind");
    kind.last_ms -= LIMIT_MS;
    log_limited(&kind, LOG_WARN_, "later");
    has_str(logged(), "warn: later (99 more not shown)\n",
            "then how many were left out");
    kind.last_ms -= LIMIT_MS;
    log_limited(&kind, LOG_WARN_, "again");
    has_str(logged(), "warn: again\n", "once");
}

static void
test_levels(void)
{
    enum log_level level;

    is_int(log_level_parse("warn", &level), 0, "a level's name");
    is_int(level, LOG_WARN_, "is read");
    is_int(log_level_parse("loud", &level), -EINVAL, "another word is not");
}

int
main(void)
{
    captured = tmpfile();
    must(captured != NULL &&
         dup2(fileno(captured), STDERR_FILENO) == STDERR_FILENO);
    test_lines();
    test_limit();
    test_levels();
    return tap_done();
}

/*
 * What an announce or a scrape asks, as its URL has it, and who asks, as
 * proxies have it: the first line is a query, the others are X-Forwarded-For.
 */
#include "../net/http_request.c"

#include "coordinator/tracker/query.h"
#include "target.h"

#define PROXIES "127.0.0.0/8"

static void
check_query(const char *text)
{
    static struct scrape scrape;
    struct announce announce;
    const char *wrong;

    memset(&announce, 0x5a, sizeof(announce));
    announce.event = (enum announce_event) - 1;
    wrong = query_announce(text, &announce);
    if (wrong == NULL) {
        MUST(announce.event <= ANNOUNCE_PAUSED);
        MUST(strstr(text, "info_hash=") != NULL);
    } else {
        MUST(strlen(wrong) < 256);
    }
    wrong = query_scrape(text, &scrape);
    if (wrong == NULL)
        MUST(scrape.count <= TRACKER_SCRAPE_MAX);
}

static void
check_forwarded(const char *line)
{
    static struct ol_cidrs proxies;
    struct ol_error err;
    struct ol_addr addr;

    if (proxies.count == 0)
        MUST(ol_cidrs_add(&proxies, PROXIES, &err) == 0);
    memset(&addr, 0, sizeof(addr));
    if (!forwarded_walk(line, &proxies, &addr))
        MUST(ol_cidrs_contain(&proxies, &addr));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = strndup((const char *)data, len), *next;

    next = strchr(text, '\n');
    if (next != NULL)
        *next++ = '\0';
    check_query(text);
    for (char *line = next; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        check_forwarded(line);
    }
    free(text);
    return 0;
}

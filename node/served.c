/*
 * What this node has sent to clients (served.h).
 *
 * Owns: the sums, and what was heard of them.  Must not know heartbeats.
 */
#include "node/served.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "offload/encoding.h"

#define ROUND 60 /* reports in which everything is told once */
#define BYTES_MAX ((UINT64_C(1) << 53) - 1)

struct sum {
    char *iss;
    uint64_t bytes;
    uint64_t heard[ASSIGNMENT_COORDINATORS]; /* by link */
};

struct served {
    char epoch[OL_BASE64URL_LEN(SERVED_EPOCH_BYTES) + 1];
    uint32_t count, cap;
    struct sum *sums;
    uint32_t next[ASSIGNMENT_COORDINATORS];  /* to look at, by link */
    uint32_t again[ASSIGNMENT_COORDINATORS]; /* to tell again */
};

int
served_create(const uint8_t epoch[SERVED_EPOCH_BYTES], struct served **ret)
{
    struct served *served = calloc(1, sizeof(*served));

    if (served == NULL)
        return -ENOMEM;
    ol_base64url_encode(served->epoch, epoch, SERVED_EPOCH_BYTES);
    *ret = served;
    return 0;
}

void
served_free(struct served *served)
{
    if (served == NULL)
        return;
    for (uint32_t i = 0; i < served->count; i++)
        free(served->sums[i].iss);
    free(served->sums);
    free(served);
}

static int
sums_grow(struct served *served)
{
    uint32_t cap = served->cap == 0 ? 8 : served->cap * 2;
    struct sum *sums = realloc(served->sums, cap * sizeof(*sums));

    if (sums == NULL)
        return -ENOMEM;
    served->sums = sums;
    served->cap = cap;
    return 0;
}

uint32_t
served_place(struct served *served, const char *iss)
{
    char *copy;

    for (uint32_t i = 0; i < served->count; i++)
        if (strcmp(served->sums[i].iss, iss) == 0)
            return i;
    if (served->count == SERVED_SITES ||
        (served->count == served->cap && sums_grow(served) != 0))
        return SERVED_NONE;
    copy = strdup(iss);
    if (copy == NULL)
        return SERVED_NONE;
    served->sums[served->count] = (struct sum){.iss = copy};
    return served->count++;
}

void
served_add(struct served *served, uint32_t place, uint64_t bytes)
{
    struct sum *sum;

    if (place == SERVED_NONE)
        return;
    sum = &served->sums[place];
    sum->bytes +=
        bytes < BYTES_MAX - sum->bytes ? bytes : BYTES_MAX - sum->bytes;
}

/* What is to be told again counts as not heard. */
static void
mark_some(struct served *served, unsigned link)
{
    uint32_t some = (served->count + ROUND - 1) / ROUND;

    for (uint32_t i = 0; i < some; i++) {
        if (served->again[link] >= served->count)
            served->again[link] = 0;
        served->sums[served->again[link]++].heard[link] = 0;
    }
}

static int
fill_list(struct served *served, unsigned link, struct served_report *report,
          json_t *list)
{
    uint32_t at = served->next[link];

    for (uint32_t i = 0; i < served->count && report->count < SERVED_ENTRIES;
         i++) {
        const struct sum *sum;

        at = at >= served->count ? 0 : at;
        sum = &served->sums[at];
        if (sum->bytes != sum->heard[link]) {
            if (json_array_append_new(
                    list, json_pack("{s:s, s:I}", "iss", sum->iss, "bytes",
                                    (json_int_t)sum->bytes)) != 0)
                return -ENOMEM;
            report->list[report->count].place = at;
            report->list[report->count++].bytes = sum->bytes;
        }
        at++;
    }
    served->next[link] = at;
    return 0;
}

int
served_fill(struct served *served, unsigned link, bool again,
            struct served_report *report, json_t *message)
{
    json_t *list = json_array();
    int rc = list == NULL ? -ENOMEM : 0;

    report->count = 0;
    if (again)
        mark_some(served, link);
    if (rc == 0)
        rc = fill_list(served, link, report, list);
    if (rc == 0 && report->count > 0 &&
        (json_object_set(message, "served", list) != 0 ||
         json_object_set_new(message, "epoch", json_string(served->epoch)) !=
             0))
        rc = -ENOMEM;
    json_decref(list);
    return rc;
}

void
served_heard(struct served *served, unsigned link,
             const struct served_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        struct sum *sum = &served->sums[report->list[i].place];

        if (report->list[i].bytes > sum->heard[link])
            sum->heard[link] = report->list[i].bytes;
    }
}

void
served_forget(struct served *served, unsigned link)
{
    for (uint32_t i = 0; i < served->count; i++)
        served->sums[i].heard[link] = 0;
}

/*
 * The commands about one node: a connection to Redis, one call, the outcome.
 *
 * Must not know what the coordinators make of it.
 */
#include "coordinator/nodes/standing_command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "coordinator/app.h"
#include "coordinator/store/standing.h"
#include "net/log.h"
#include "offload/encoding.h"

#define REDIS_DEFAULT "redis://127.0.0.1:6379"
#define WAIT_MS 3000 /* for Redis */

struct decision {
    const char *verb, *id, *reason, *redis;
    uv_loop_t *loop;
    struct store *store;
    uv_timer_t deadline;
    bool asked;
    int status;
};

static void
decision_end(struct decision *d, int status, const char *text)
{
    d->status = status;
    if (text != NULL)
        fprintf(status == 0 ? stdout : stderr, "%s\n", text);
    uv_close((uv_handle_t *)&d->deadline, NULL);
    uv_stop(d->loop);
}

static void
on_done(void *arg, int rc, uint64_t value)
{
    struct decision *d = arg;
    char text[128];

    if (rc == -ECANCELED)
        return;
    if (rc != 0) {
        decision_end(d, 1, "offload-coordinator: Redis does not answer");
        return;
    }
    if (strcmp(d->verb, "ban") == 0)
        snprintf(text, sizeof(text), "%s is banned%s", d->id,
                 value == 1 ? "" : ", as before, with this reason now");
    else if (strcmp(d->verb, "unban") == 0)
        snprintf(text, sizeof(text), "%s %s", d->id,
                 value == 1 ? "is no longer banned" : "was not banned");
    else if (value == 1)
        snprintf(text, sizeof(text), "%s %s", d->id,
                 strcmp(d->verb, "drain") == 0 ? "drains" : "drains no longer");
    else
        snprintf(text, sizeof(text), "%s is not known here", d->id);
    decision_end(d, value == 1 || strcmp(d->verb, "ban") == 0 ? 0 : 1, text);
}

static int
decision_send(struct decision *d)
{
    const struct store_ban ban = {.id = d->id,
                                  .reason = d->reason,
                                  .by = "operator",
                                  .details = "",
                                  .since_s = (uint64_t)app_now()};

    if (strcmp(d->verb, "ban") == 0)
        return store_ban(d->store, &ban, on_done, d);
    if (strcmp(d->verb, "unban") == 0)
        return store_unban(d->store, d->id, on_done, d);
    return store_node_drain(d->store, d->id, strcmp(d->verb, "drain") == 0,
                            on_done, d);
}

static void
on_up(void *arg, bool fresh)
{
    struct decision *d = arg;

    (void)fresh;
    if (!d->asked && decision_send(d) == 0)
        d->asked = true;
}

static void
on_change(void *arg, enum store_change what, const char *id)
{
    (void)arg, (void)what, (void)id;
}

static void
on_deadline(uv_timer_t *timer)
{
    decision_end(timer->data, 1, "offload-coordinator: Redis does not answer");
}

/* The positional ones, and --redis URL anywhere. */
static int
decision_parse(int argc, char **argv, struct decision *ret)
{
    uint8_t raw[OL_KEY_BYTES];
    const char *words[2] = {NULL, NULL};
    int count = 0, wanted = strcmp(argv[0], "ban") == 0 ? 2 : 1;

    ret->verb = argv[0];
    ret->redis = REDIS_DEFAULT;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--redis") == 0 && i + 1 < argc)
            ret->redis = argv[++i];
        else if (strncmp(argv[i], "--redis=", 8) == 0)
            ret->redis = argv[i] + 8;
        else if (count < wanted && strncmp(argv[i], "--", 2) != 0)
            words[count++] = argv[i];
        else
            return -EINVAL;
    }
    ret->id = words[0];
    ret->reason = words[1];
    if (count != wanted || ol_base64url_decode_exact(raw, sizeof(raw), ret->id,
                                                     strlen(ret->id)) != 0)
        return -EINVAL;
    return ret->reason == NULL || (*ret->reason != '\0' &&
                                   strlen(ret->reason) <= STORE_REASON_MAX)
               ? 0
               : -EINVAL;
}

int
standing_command(int argc, char **argv)
{
    struct decision d = {.loop = uv_default_loop(), .status = 1};
    const struct store_events events = {on_up, on_change, &d};
    struct ol_error err = {""};

    if (decision_parse(argc, argv, &d) != 0) {
        fprintf(stderr,
                "Usage: offload-coordinator %s ID%s [--redis URL]\n"
                "ID: a node's, 43 characters; REASON: up to %d, in quotes\n",
                argv[0], strcmp(argv[0], "ban") == 0 ? " REASON" : "",
                STORE_REASON_MAX);
        return 2;
    }
    log_set_level(LOG_ERROR_);
    if (store_create(d.loop, d.redis, &events, &d.store, &err) != 0) {
        fprintf(stderr, "offload-coordinator: %s\n", err.text);
        return 2;
    }
    uv_timer_init(d.loop, &d.deadline);
    d.deadline.data = &d;
    uv_timer_start(&d.deadline, on_deadline, WAIT_MS, 0);
    uv_run(d.loop, UV_RUN_DEFAULT);
    store_free(d.store);
    uv_run(d.loop, UV_RUN_DEFAULT);
    uv_loop_close(d.loop);
    return d.status;
}

/*
 * The loop of a command, its signals, and single questions to servers.
 *
 * Owns the uv loop and the fetcher.  Knows nothing of manifests or files.
 */
#include "client/session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_TOTAL_MS 30000

static void
on_signal(uv_signal_t *handle, int number)
{
    struct session *session = handle->data;

    (void)number;
    session->interrupted = true;
}

/* A timer may have brought what is waited for: then the loop must not sleep. */
static void
on_before_sleep(uv_prepare_t *handle)
{
    struct session *session = handle->data;

    if (session->awaited != NULL && *session->awaited)
        uv_stop(&session->loop);
}

static void
signal_open(struct session *session, uv_signal_t *handle, int number)
{
    uv_signal_init(&session->loop, handle);
    handle->data = session;
    uv_signal_start(handle, on_signal, number);
}

int
session_open(struct session *session)
{
    struct fetcher_options options = {.user_agent = "offload/" OL_VERSION,
                                      .env_proxy = true};
    int rc;

    memset(session, 0, sizeof(*session));
    rc = uv_loop_init(&session->loop);
    if (rc != 0)
        return rc;
    rc = fetcher_create(&session->loop, &options, &session->fetcher);
    if (rc != 0) {
        uv_loop_close(&session->loop);
        return rc;
    }
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of write(2) */
    signal_open(session, &session->sigint, SIGINT);
    signal_open(session, &session->sigterm, SIGTERM);
    uv_prepare_init(&session->loop, &session->before_sleep);
    session->before_sleep.data = session;
    uv_prepare_start(&session->before_sleep, on_before_sleep);
    return 0;
}

void
session_close(struct session *session)
{
    fetcher_free(session->fetcher);
    uv_close((uv_handle_t *)&session->sigint, NULL);
    uv_close((uv_handle_t *)&session->sigterm, NULL);
    uv_close((uv_handle_t *)&session->before_sleep, NULL);
    uv_run(&session->loop, UV_RUN_DEFAULT);
    uv_loop_close(&session->loop);
}

void
session_wait(struct session *session, const bool *done)
{
    session->awaited = done;
    while (!*done && !session->interrupted)
        uv_run(&session->loop, UV_RUN_ONCE);
    session->awaited = NULL;
}

struct pause {
    uv_timer_t timer;
    bool over, closed;
};

static void
on_pause_over(uv_timer_t *timer)
{
    struct pause *pause = timer->data;

    pause->over = true;
}

static void
on_pause_closed(uv_handle_t *handle)
{
    struct pause *pause = handle->data;

    pause->closed = true;
}

void
session_pause(struct session *session, unsigned ms)
{
    struct pause pause = {.over = false};

    uv_timer_init(&session->loop, &pause.timer);
    pause.timer.data = &pause;
    uv_timer_start(&pause.timer, on_pause_over, ms, 0);
    session_wait(session, &pause.over);
    uv_close((uv_handle_t *)&pause.timer, on_pause_closed);
    while (!pause.closed)
        uv_run(&session->loop, UV_RUN_ONCE);
}

/* One question */

struct question {
    struct answer *answer;
    bool done;
};

static char *
copy(const char *text)
{
    return strdup(text != NULL ? text : "");
}

static void
on_answer(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct question *question = arg;
    struct answer *answer = question->answer;

    question->done = true;
    answer->error = result->error;
    answer->status = result->status;
    answer->date = result->date;
    snprintf(answer->text, sizeof(answer->text), "%s", result->text);
    answer->type = copy(fetch_header(fetch, "Content-Type"));
    answer->redirect = copy(result->redirect);
    answer->body = malloc(result->body_len + 1);
    if (answer->type == NULL || answer->redirect == NULL ||
        answer->body == NULL) {
        answer->error = -ENOMEM;
        return;
    }
    memcpy(answer->body, result->body, result->body_len);
    answer->body[result->body_len] = '\0';
    answer->body_len = result->body_len;
}

enum outcome
session_ask(struct session *session, const char *url,
            const char *const *headers, size_t max_body, struct answer *ret,
            struct ol_error *err)
{
    struct fetch_request request = {.url = url,
                                    .headers = headers,
                                    .max_body = max_body,
                                    .connect_ms = SESSION_STALL_MS,
                                    .stall_ms = SESSION_STALL_MS,
                                    .total_ms = ASK_TOTAL_MS};

    return session_request(session, &request, ret, err);
}

enum outcome
session_request(struct session *session, const struct fetch_request *asked,
                struct answer *ret, struct ol_error *err)
{
    struct question question = {.answer = ret};
    struct fetch_request request = *asked;
    struct fetch *fetch;
    int rc;

    request.on_done = on_answer;
    request.arg = &question;
    memset(ret, 0, sizeof(*ret));
    rc = fetch_start(session->fetcher, &request, &fetch);
    if (rc != 0) {
        ol_error_set(err, -rc, "%s: %s", request.url,
                     rc == -EINVAL ? "not a good http or https URL"
                                   : strerror(-rc));
        return rc == -EINVAL ? OUTCOME_USAGE : OUTCOME_MEMORY;
    }
    session_wait(session, &question.done);
    if (!question.done) {
        fetch_cancel(fetch);
        ol_error_set(err, EINTR, "interrupted");
        return OUTCOME_INTERRUPTED;
    }
    if (ret->error != 0) {
        ol_error_set(err, -ret->error, "%s", ret->text);
        return outcome_of_error(ret->error);
    }
    return OUTCOME_OK;
}

void
answer_clear(struct answer *answer)
{
    free(answer->type);
    free(answer->body);
    free(answer->redirect);
    memset(answer, 0, sizeof(*answer));
}

enum outcome
outcome_of_error(int error)
{
    switch (error) {
    case 0:
        return OUTCOME_OK;
    case -EHOSTUNREACH:
        return OUTCOME_RESOLVE;
    case -ECONNREFUSED:
        return OUTCOME_CONNECT;
    case -ETIMEDOUT:
        return OUTCOME_TIMEOUT;
    case -EIO:
        return OUTCOME_PARTIAL;
    case -ENOMEM:
        return OUTCOME_MEMORY;
    case -EKEYREJECTED:
        return OUTCOME_TLS;
    default:
        return OUTCOME_PROTOCOL;
    }
}

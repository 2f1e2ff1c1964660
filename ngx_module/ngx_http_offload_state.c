
/*
 * Has what nobody uses any more taken out of the state folder: when nginx
 * starts and once an hour, by one worker, in slices in the thread pool.  What
 * that is, and what the folder looks like, is liboffload's.
 */


#include "ngx_http_offload_job.h"


#define NGX_HTTP_OFFLOAD_COLLECT        3600   /* seconds */
#define NGX_HTTP_OFFLOAD_COLLECT_LEASE  60     /* likewise, after a slice */
#define NGX_HTTP_OFFLOAD_COLLECT_FILES  64     /* in a slice */


typedef struct {
    ngx_http_offload_main_conf_t  *omcf;
    ngx_pool_t                    *pool;
    struct ol_collector           *collector;

    time_t                         now;      /* when it was begun */
    int                            rc;       /* what the slice came to */
    struct ol_error                error;
    unsigned                       renice:1;
} ngx_http_offload_collect_t;


static void ngx_http_offload_collect_wake(ngx_event_t *ev);
static ngx_int_t ngx_http_offload_collect_claim(
    ngx_http_offload_main_conf_t *omcf);
static void ngx_http_offload_collect_until(ngx_http_offload_main_conf_t *omcf,
    time_t when);
static void ngx_http_offload_collect_start(
    ngx_http_offload_main_conf_t *omcf);
static ngx_int_t ngx_http_offload_collect_post(ngx_thread_task_t *task);
static void ngx_http_offload_collect_slice(void *data, ngx_log_t *log);
static void ngx_http_offload_collect_sliced(ngx_event_t *ev);
static void ngx_http_offload_collect_free(ngx_http_offload_collect_t *collect);


/* of this worker */

static ngx_event_t          ngx_http_offload_collect_timer;
static ngx_thread_task_t   *ngx_http_offload_collect_task;  /* under way */
static ngx_uint_t           ngx_http_offload_collect_renice;


void
ngx_http_offload_state_init(ngx_cycle_t *cycle,
    ngx_http_offload_main_conf_t *omcf)
{
    static ngx_connection_t  dumb;

    dumb.fd = (ngx_socket_t) -1;

    ngx_http_offload_collect_renice = ngx_http_offload_may_renice(omcf);

    ngx_http_offload_collect_timer.handler = ngx_http_offload_collect_wake;
    ngx_http_offload_collect_timer.log = cycle->log;
    ngx_http_offload_collect_timer.data = &dumb;
    ngx_http_offload_collect_timer.cancelable = 1;

    ngx_add_timer(&ngx_http_offload_collect_timer, 1);
}


/* leaves the rest to another worker; no thread runs any more */

void
ngx_http_offload_state_exit(void)
{
    ngx_http_offload_collect_t  *collect;

    if (ngx_http_offload_collect_task == NULL) {
        return;
    }

    collect = ngx_http_offload_collect_task->ctx;

    ngx_http_offload_collect_until(collect->omcf, 0);
    ngx_http_offload_collect_free(collect);

    ngx_http_offload_collect_task = NULL;
}


static void
ngx_http_offload_collect_wake(ngx_event_t *ev)
{
    ngx_http_offload_main_conf_t  *omcf;

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        return;
    }

    omcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_offload_module);

    if (ngx_http_offload_collect_task == NULL
        && ngx_http_offload_collect_claim(omcf) == NGX_OK)
    {
        ngx_http_offload_collect_start(omcf);
    }

    /* often enough to take over from a worker that died */

    ngx_add_timer(ev, NGX_HTTP_OFFLOAD_COLLECT_LEASE * 1000);
}


/* NGX_DECLINED: it is not time yet, or another worker is at it */

static ngx_int_t
ngx_http_offload_collect_claim(ngx_http_offload_main_conf_t *omcf)
{
    ngx_int_t               rc;
    ngx_http_offload_sh_t  *sh;

    sh = ngx_http_offload_peek(omcf->zone);

    if (!ngx_http_offload_due(sh->collect, NGX_HTTP_OFFLOAD_COLLECT)) {
        return NGX_DECLINED;
    }

    sh = ngx_http_offload_lock(omcf->zone);

    rc = NGX_DECLINED;

    if (ngx_http_offload_due(sh->collect, NGX_HTTP_OFFLOAD_COLLECT)) {
        sh->collect = ngx_time() + NGX_HTTP_OFFLOAD_COLLECT_LEASE;
        rc = NGX_OK;
    }

    ngx_http_offload_unlock(omcf->zone);

    return rc;
}


static void
ngx_http_offload_collect_until(ngx_http_offload_main_conf_t *omcf, time_t when)
{
    ngx_http_offload_sh_t  *sh;

    sh = ngx_http_offload_lock(omcf->zone);
    sh->collect = when;
    ngx_http_offload_unlock(omcf->zone);
}


static void
ngx_http_offload_collect_start(ngx_http_offload_main_conf_t *omcf)
{
    ngx_pool_t                  *pool;
    ngx_thread_task_t           *task;
    ngx_http_offload_collect_t  *collect;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    task = ngx_thread_task_alloc(pool, sizeof(ngx_http_offload_collect_t));
    if (task == NULL) {
        ngx_destroy_pool(pool);
        return;
    }

    collect = task->ctx;

    collect->omcf = omcf;
    collect->pool = pool;
    collect->now = ngx_time();
    collect->renice = ngx_http_offload_collect_renice;

    task->handler = ngx_http_offload_collect_slice;
    task->event.handler = ngx_http_offload_collect_sliced;
    task->event.data = task;
    task->event.log = ngx_cycle->log;

    if (ngx_http_offload_collect_post(task) != NGX_OK) {
        ngx_destroy_pool(pool);
        return;
    }

    ngx_http_offload_collect_task = task;
}


static ngx_int_t
ngx_http_offload_collect_post(ngx_thread_task_t *task)
{
    ngx_thread_pool_t           *tp;
    ngx_http_offload_collect_t  *collect;

    collect = task->ctx;

    tp = ngx_thread_pool_get((ngx_cycle_t *) ngx_cycle,
                             &collect->omcf->thread_pool);

    return tp ? ngx_thread_task_post(tp, task) : NGX_ERROR;
}


/* in a thread */

static void
ngx_http_offload_collect_slice(void *data, ngx_log_t *log)
{
    ngx_http_offload_collect_t *collect = data;

    int  nice;

    nice = ngx_http_offload_nicer(collect->renice);

    if (collect->collector == NULL) {
        collect->rc = ol_collector_create(
                                     (char *) collect->omcf->state->name.data,
                                     NULL, collect->now, &collect->collector,
                                     &collect->error);
    }

    if (collect->rc >= 0) {
        collect->rc = ol_collector_step(collect->collector,
                                        NGX_HTTP_OFFLOAD_COLLECT_FILES,
                                        &collect->error);
    }

    ngx_http_offload_nice_again(nice);
}


/* back in the worker */

static void
ngx_http_offload_collect_sliced(ngx_event_t *ev)
{
    ngx_thread_task_t           *task;
    struct ol_collected          collected;
    ngx_http_offload_collect_t  *collect;

    task = ev->data;
    collect = task->ctx;

    if (collect->rc > 0) {

        if (ngx_exiting) {
            return;
        }

        ngx_http_offload_collect_until(collect->omcf,
                                       ngx_time()
                                       + NGX_HTTP_OFFLOAD_COLLECT_LEASE);

        if (ngx_http_offload_collect_post(task) == NGX_OK) {
            return;
        }
    }

    if (collect->rc < 0) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "%s, in \"%V\", the folder of \"offload_state\", which "
                      "is cleared up again in an hour",
                      collect->error.text, &collect->omcf->state->name);

    } else if (collect->rc == 0) {
        collected = ol_collector_result(collect->collector);

        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "\"offload_state\": %ul files are known, %ul useless "
                      "files were removed",
                      collected.entries, collected.removed);

        if (collected.failed) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "%s, in \"%V\", the folder of \"offload_state\"; "
                          "%ul there could not be looked at or removed",
                          collected.reason.text, &collect->omcf->state->name,
                          collected.failed);
        }
    }

    ngx_http_offload_collect_until(collect->omcf,
                                   ngx_time() + NGX_HTTP_OFFLOAD_COLLECT);

    ngx_http_offload_collect_free(collect);

    ngx_http_offload_collect_task = NULL;
}


static void
ngx_http_offload_collect_free(ngx_http_offload_collect_t *collect)
{
    ol_collector_free(collect->collector);
    ngx_destroy_pool(collect->pool);
}


/*
 * Which file is hashed next and what becomes of it: a worker has one job at a
 * time, detached from any request, and posts it slice by slice.  The zone has
 * the queue; a worker holds a job by a lease, so that the job of a worker that
 * died is taken over.
 */


#include "ngx_http_offload_job.h"


#define NGX_HTTP_OFFLOAD_LEASE   60          /* seconds after a slice */
#define NGX_HTTP_OFFLOAD_RETRY   60          /* seconds after a failure */
#define NGX_HTTP_OFFLOAD_LOOK    2000        /* ms until one looks again, */
                                             /* unless all is done */
#define NGX_HTTP_OFFLOAD_AHEAD   16          /* jobs, to find one that is due */


static ngx_thread_task_t *ngx_http_offload_job_create(
    ngx_http_offload_main_conf_t *omcf);
static ngx_http_offload_file_t *ngx_http_offload_job_next(
    ngx_http_offload_sh_t *sh, ngx_msec_t *wait);
static ngx_int_t ngx_http_offload_job_claim(ngx_http_offload_job_t *job);
static ngx_int_t ngx_http_offload_job_post(ngx_thread_task_t *task);
static void ngx_http_offload_job_free(ngx_http_offload_job_t *job);
static void ngx_http_offload_sliced(ngx_event_t *ev);
static void ngx_http_offload_failed(ngx_http_offload_job_t *job);
static ngx_int_t ngx_http_offload_renew(ngx_http_offload_job_t *job);
static void ngx_http_offload_settle(ngx_http_offload_job_t *job);
static void ngx_http_offload_wake(ngx_event_t *ev);
static void ngx_http_offload_look_later(ngx_msec_t wait);
static void ngx_http_offload_abandoned(ngx_http_offload_zone_t *zone);


/* of this worker */

static ngx_thread_task_t  *ngx_http_offload_task;   /* the job under way */
static ngx_event_t         ngx_http_offload_timer;  /* looks at the queue */
static ngx_uint_t          ngx_http_offload_renice; /* threads, to and fro */


ngx_int_t
ngx_http_offload_index_init(ngx_cycle_t *cycle)
{
    ngx_http_offload_main_conf_t  *omcf;

    static ngx_connection_t  dumb;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    omcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_offload_module);

    if (omcf == NULL || omcf->zone == NULL) {
        return NGX_OK;
    }

    ngx_http_offload_renice = ngx_http_offload_may_renice(omcf);

    dumb.fd = (ngx_socket_t) -1;

    ngx_http_offload_timer.handler = ngx_http_offload_wake;
    ngx_http_offload_timer.log = cycle->log;
    ngx_http_offload_timer.data = &dumb;
    ngx_http_offload_timer.cancelable = 1;

    /* those before this one may have left something undone */

    ngx_add_timer(&ngx_http_offload_timer, 1);

    ngx_http_offload_state_init(cycle, omcf);

    return NGX_OK;
}


/* gives the job back at once; no thread runs any more */

void
ngx_http_offload_index_exit(ngx_cycle_t *cycle)
{
    ngx_http_offload_job_t  *job;

    ngx_http_offload_state_exit();

    if (ngx_http_offload_task == NULL) {
        return;
    }

    job = ngx_http_offload_task->ctx;
    job->rc = NGX_ABORT;

    ngx_http_offload_settle(job);
    ngx_http_offload_job_free(job);

    ngx_http_offload_task = NULL;
}


static void
ngx_http_offload_wake(ngx_event_t *ev)
{
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_offload_module);

    if (ngx_http_offload_peek(omcf->zone)->states[NGX_HTTP_OFFLOAD_HASHING]) {
        ngx_http_offload_abandoned(omcf->zone);
        ngx_http_offload_look_later(NGX_HTTP_OFFLOAD_LOOK);
    }

    ngx_http_offload_index_kick(omcf);
}


static void
ngx_http_offload_look_later(ngx_msec_t wait)
{
    if (!ngx_http_offload_timer.timer_set && !ngx_exiting) {
        ngx_add_timer(&ngx_http_offload_timer,
                      ngx_min(wait, NGX_HTTP_OFFLOAD_LOOK));
    }
}


/* what a worker that died had begun goes back into the queue */

static void
ngx_http_offload_abandoned(ngx_http_offload_zone_t *zone)
{
    ngx_queue_t              *q, *next;
    ngx_http_offload_sh_t    *sh;
    ngx_http_offload_file_t  *file;

    sh = ngx_http_offload_lock(zone);

    for (q = ngx_queue_head(&sh->hashing);
         q != ngx_queue_sentinel(&sh->hashing);
         q = next)
    {
        next = ngx_queue_next(q);
        file = ngx_queue_data(q, ngx_http_offload_file_t, job);

        if (ngx_http_offload_due(file->lease, NGX_HTTP_OFFLOAD_LEASE)) {
            ngx_http_offload_file_again(zone, file);
        }
    }

    ngx_http_offload_unlock(zone);
}


/* takes the next job, if there is one and the worker has none */

void
ngx_http_offload_index_kick(ngx_http_offload_main_conf_t *omcf)
{
    ngx_msec_t                wait;
    ngx_thread_task_t        *task;
    ngx_http_offload_sh_t    *sh;
    ngx_http_offload_file_t  *file;

    if (ngx_http_offload_task || ngx_exiting || ngx_terminate || ngx_quit
        || ngx_http_offload_peek(omcf->zone)->njobs == 0)
    {
        return;
    }

    sh = ngx_http_offload_lock(omcf->zone);
    file = ngx_http_offload_job_next(sh, &wait);
    ngx_http_offload_unlock(omcf->zone);

    if (file == NULL) {
        ngx_http_offload_look_later(wait);
        return;
    }

    task = ngx_http_offload_job_create(omcf);
    if (task == NULL) {
        ngx_http_offload_look_later(NGX_HTTP_OFFLOAD_LOOK);
        return;
    }

    if (ngx_http_offload_job_claim(task->ctx) != NGX_OK) {
        ngx_http_offload_job_free(task->ctx);
        ngx_http_offload_look_later(NGX_HTTP_OFFLOAD_LOOK);
        return;
    }

    ngx_http_offload_task = task;

    if (ngx_http_offload_job_post(task) != NGX_OK) {
        ((ngx_http_offload_job_t *) task->ctx)->rc = NGX_ABORT;
        ngx_http_offload_settle(task->ctx);
        ngx_http_offload_job_free(task->ctx);
        ngx_http_offload_task = NULL;
        ngx_http_offload_look_later(NGX_HTTP_OFFLOAD_LOOK);
    }
}


static ngx_thread_task_t *
ngx_http_offload_job_create(ngx_http_offload_main_conf_t *omcf)
{
    ngx_pool_t              *pool;
    ngx_thread_task_t       *task;
    ngx_http_offload_job_t  *job;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    task = ngx_thread_task_alloc(pool, sizeof(ngx_http_offload_job_t));
    if (task == NULL) {
        goto failed;
    }

    job = task->ctx;

    job->name.sub.data = ngx_pnalloc(pool, OL_SUB_MAX + NGX_MAX_PATH + 2);
    if (job->name.sub.data == NULL) {
        goto failed;
    }

    job->pool = pool;
    job->omcf = omcf;
    job->fd = NGX_INVALID_FILE;
    job->renice = ngx_http_offload_renice;

    task->handler = ngx_http_offload_slice;
    task->event.handler = ngx_http_offload_sliced;
    task->event.data = task;
    task->event.log = ngx_cycle->log;

    return task;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


/* under the lock: what may be begun now; NULL: nothing, but in *wait ms */

static ngx_http_offload_file_t *
ngx_http_offload_job_next(ngx_http_offload_sh_t *sh, ngx_msec_t *wait)
{
    ngx_uint_t                n;
    ngx_msec_t                left;
    ngx_queue_t              *q;
    ngx_http_offload_file_t  *file;

    *wait = NGX_HTTP_OFFLOAD_LOOK;

    for (n = 0, q = ngx_queue_head(&sh->jobs);
         n < NGX_HTTP_OFFLOAD_AHEAD && q != ngx_queue_sentinel(&sh->jobs);
         n++, q = ngx_queue_next(q))
    {
        file = ngx_queue_data(q, ngx_http_offload_file_t, job);

        if (ngx_http_offload_due(file->retry, OL_STATE_YOUNG)) {
            return file;
        }

        left = (ngx_msec_t) (file->retry - ngx_time()) * 1000;
        *wait = ngx_min(left, *wait);
    }

    return NULL;
}


/* NGX_DECLINED: another worker was faster */

static ngx_int_t
ngx_http_offload_job_claim(ngx_http_offload_job_t *job)
{
    u_char                   *p;
    ngx_int_t                 rc;
    ngx_msec_t                wait;
    ngx_http_offload_sh_t    *sh;
    ngx_http_offload_file_t  *file;

    sh = ngx_http_offload_lock(job->omcf->zone);

    rc = NGX_DECLINED;

    file = ngx_http_offload_job_next(sh, &wait);
    if (file == NULL) {
        goto done;
    }

    ngx_queue_remove(&file->job);
    sh->njobs--;

    ngx_http_offload_file_state(sh, file, NGX_HTTP_OFFLOAD_HASHING);
    file->lease = ngx_time() + NGX_HTTP_OFFLOAD_LEASE;

    ngx_memcpy(job->site, file->site, NGX_HTTP_OFFLOAD_SITE_LEN);

    p = ngx_cpymem(job->name.sub.data, ngx_http_offload_file_sub(file),
                   file->sub_len);
    *p++ = '\0';

    job->name.path.data = p;
    p = ngx_cpymem(p, ngx_http_offload_file_path(file), file->path_len);
    *p = '\0';

    job->name.site = job->site;
    job->name.sub.len = file->sub_len;
    job->name.path.len = file->path_len;
    job->name.hash = file->hash;
    job->serial = file->serial;
    job->seen = file->ident;

    rc = NGX_OK;

done:

    ngx_http_offload_unlock(job->omcf->zone);

    return rc;
}


static ngx_int_t
ngx_http_offload_job_post(ngx_thread_task_t *task)
{
    ngx_thread_pool_t       *tp;
    ngx_http_offload_job_t  *job;

    job = task->ctx;

    tp = ngx_thread_pool_get((ngx_cycle_t *) ngx_cycle,
                             &job->omcf->thread_pool);
    if (tp == NULL) {
        return NGX_ERROR;
    }

    job->now = ngx_time();

    return ngx_thread_task_post(tp, task);
}


static void
ngx_http_offload_job_free(ngx_http_offload_job_t *job)
{
    if (job->fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(job->fd);
    }

    ol_hasher_free(job->hasher);
    ol_digest_clear(&job->digest);
    ngx_free(job->buf);

    ngx_destroy_pool(job->pool);
}


/* back in the worker */

static void
ngx_http_offload_sliced(ngx_event_t *ev)
{
    ngx_thread_task_t             *task;
    ngx_http_offload_job_t        *job;
    ngx_http_offload_main_conf_t  *omcf;

    task = ev->data;
    job = task->ctx;
    omcf = job->omcf;

    if (job->rc == NGX_AGAIN) {

        if (!ngx_exiting && ngx_http_offload_renew(job) == NGX_OK
            && ngx_http_offload_job_post(task) == NGX_OK)
        {
            return;
        }

        job->rc = NGX_ABORT;
    }

    if (job->failed) {
        ngx_http_offload_failed(job);
    }

    ngx_http_offload_settle(job);
    ngx_http_offload_job_free(job);

    ngx_http_offload_task = NULL;

    ngx_http_offload_index_kick(omcf);
}


static void
ngx_http_offload_failed(ngx_http_offload_job_t *job)
{
    static time_t  logged;

    if (logged == ngx_time()) {
        return;
    }

    logged = ngx_time();

    if (!job->unsaved) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "%s, while \"%V\" was indexed for offload, which is "
                      "tried again in %d seconds",
                      job->error.text, &job->name.path,
                      NGX_HTTP_OFFLOAD_RETRY);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "%s, in \"%V\", the folder of \"offload_state\", while "
                  "\"%V\" was indexed for offload, which is to be done "
                  "again %s",
                  job->error.text, &job->omcf->state->name, &job->name.path,
                  job->rc == NGX_OK ? "after a restart" : "in a minute");
}


/* NGX_DECLINED: the file is no longer this job's */

static ngx_int_t
ngx_http_offload_renew(ngx_http_offload_job_t *job)
{
    ngx_int_t                 rc;
    ngx_http_offload_sh_t    *sh;
    ngx_http_offload_file_t  *file;

    sh = ngx_http_offload_lock(job->omcf->zone);

    file = ngx_http_offload_file_find(sh, &job->name);

    if (file && file->serial == job->serial
        && file->state == NGX_HTTP_OFFLOAD_HASHING)
    {
        file->lease = ngx_time() + NGX_HTTP_OFFLOAD_LEASE;
        rc = NGX_OK;

    } else {
        rc = NGX_DECLINED;
    }

    ngx_http_offload_unlock(job->omcf->zone);

    return rc;
}


/* the outcome, into the zone */

static void
ngx_http_offload_settle(ngx_http_offload_job_t *job)
{
    ngx_http_offload_sh_t    *sh;
    ngx_http_offload_file_t  *file;

    sh = ngx_http_offload_lock(job->omcf->zone);

    file = ngx_http_offload_file_find(sh, &job->name);

    if (file == NULL || file->serial != job->serial
        || file->state != NGX_HTTP_OFFLOAD_HASHING)
    {
        goto done;
    }

    if (job->rc == NGX_OK) {
        file->ident = job->ident;

        job->rc = ngx_http_offload_file_ready(job->omcf->zone, file,
                                              &job->digest,
                                              job->torrent ? job->infohash
                                                           : NULL);
    }

    switch (job->rc) {

    case NGX_OK:
        sh->hashed += job->hashed;
        goto done;

    case NGX_DECLINED:

        /* the next answer brings the version that is there now */

        ngx_http_offload_file_gone(job->omcf->zone, file);
        goto done;

    case NGX_ERROR:
        ngx_http_offload_file_state(sh, file, NGX_HTTP_OFFLOAD_FAILED);
        file->retry = ngx_time() + NGX_HTTP_OFFLOAD_RETRY;
        goto done;

    case NGX_BUSY:
        file->retry = ngx_time() + OL_STATE_YOUNG;
        break;

    default: /* NGX_ABORT */
        break;
    }

    ngx_http_offload_file_again(job->omcf->zone, file);

done:

    ngx_http_offload_unlock(job->omcf->zone);
}


/*
 * Under the lock: what failed a while ago, what was left behind by a worker
 * that died, and whose table is gone
 */

void
ngx_http_offload_index_again(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file)
{
    switch (file->state) {

    case NGX_HTTP_OFFLOAD_FAILED:
        if (!ngx_http_offload_due(file->retry, NGX_HTTP_OFFLOAD_RETRY)) {
            return;
        }

        break;

    case NGX_HTTP_OFFLOAD_HASHING:
        if (!ngx_http_offload_due(file->lease, NGX_HTTP_OFFLOAD_LEASE)) {
            return;
        }

        break;

    case NGX_HTTP_OFFLOAD_READY:
        if (!file->content->lost) {
            return;
        }

        break;

    default: /* NGX_HTTP_OFFLOAD_QUEUED */
        return;
    }

    ngx_http_offload_file_again(zone, file);
}


/*
 * What a thread of the pool does with a file: opens it, looks whether its hash
 * is kept already, reads it slice by slice, and sees that it has not changed.
 * No nginx pools, no lock, no logging here.
 */


#include "ngx_http_offload_job.h"

#include <sys/resource.h>
#include <sys/syscall.h>


#define NGX_HTTP_OFFLOAD_SLICE   (16 * 1024 * 1024)
#define NGX_HTTP_OFFLOAD_BUFFER  (256 * 1024)
#define NGX_HTTP_OFFLOAD_NICE    19


static ngx_int_t ngx_http_offload_open(ngx_http_offload_job_t *job);
static ngx_int_t ngx_http_offload_hash(ngx_http_offload_job_t *job);
static ngx_int_t ngx_http_offload_finish(ngx_http_offload_job_t *job);
static ngx_uint_t ngx_http_offload_short(ngx_http_offload_ident_t *ident);
static ngx_int_t ngx_http_offload_error(ngx_http_offload_job_t *job,
    char *failed);


/*
 * NGX_AGAIN: another slice; NGX_OK: hashed; NGX_BUSY: still
 * too young; NGX_DECLINED: not the version that was seen; NGX_ERROR
 */

void
ngx_http_offload_slice(void *data, ngx_log_t *log)
{
    ngx_http_offload_job_t *job = data;

    int    nice;
    pid_t  tid;

    tid = (pid_t) syscall(SYS_gettid);
    nice = getpriority(PRIO_PROCESS, tid);

    if (job->renice && nice < NGX_HTTP_OFFLOAD_NICE) {
        (void) setpriority(PRIO_PROCESS, tid, NGX_HTTP_OFFLOAD_NICE);
    }

    job->rc = job->hasher ? ngx_http_offload_hash(job)
                          : ngx_http_offload_open(job);

    if (job->rc == NGX_OK && job->hasher) {
        job->rc = ngx_http_offload_finish(job);
    }

    if (job->renice && nice < NGX_HTTP_OFFLOAD_NICE) {
        (void) setpriority(PRIO_PROCESS, tid, nice);
    }
}


static ngx_int_t
ngx_http_offload_open(ngx_http_offload_job_t *job)
{
    time_t           latest;
    ngx_file_info_t  fi;

    job->fd = ngx_open_file(job->name.path.data,
                            NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                            NGX_FILE_OPEN, 0);
    if (job->fd == NGX_INVALID_FILE) {
        return ngx_errno == NGX_ENOENT
               ? NGX_DECLINED : ngx_http_offload_error(job, ngx_open_file_n);
    }

    if (ngx_fd_info(job->fd, &fi) == NGX_FILE_ERROR) {
        return ngx_http_offload_error(job, ngx_fd_info_n);
    }

    ngx_http_offload_ident(&fi, &job->ident);

    if (!ngx_is_file(&fi) || job->ident.size != job->seen.size
        || job->ident.mtime != job->seen.mtime)
    {
        return NGX_DECLINED;
    }

    if (ngx_http_offload_state_load(job->omcf->state->name.data,
                                    &job->name.path, &job->ident,
                                    &job->digest)
        == NGX_OK)
    {
        return NGX_OK;
    }

    ngx_memcpy(job->old, job->digest.root, OL_HASH_BYTES);
    ol_digest_clear(&job->digest);

    /* a change within the clock's tick would leave no trace */

    latest = ngx_max(job->ident.mtime, job->ident.ctime);

    if (latest <= job->now && latest + NGX_HTTP_OFFLOAD_YOUNG > job->now) {
        return NGX_BUSY;
    }

    /* in vain, if its table can be kept nowhere */

    if (!ngx_http_offload_short(&job->ident)
        && access((char *) job->omcf->state->name.data, W_OK|X_OK) == -1)
    {
        job->unsaved = 1;
        return ngx_http_offload_error(job, "access()");
    }

    job->buf = malloc(NGX_HTTP_OFFLOAD_BUFFER);

    if (job->buf == NULL || ol_hasher_create(job->ident.size, &job->hasher)
                            != 0)
    {
        ngx_set_errno(NGX_ENOMEM);
        return ngx_http_offload_error(job, "malloc()");
    }

    job->hashed = 1;

    return ngx_http_offload_hash(job);
}


static ngx_int_t
ngx_http_offload_hash(ngx_http_offload_job_t *job)
{
    off_t    end;
    ssize_t  n;

    end = job->offset + NGX_HTTP_OFFLOAD_SLICE;

    while (job->offset < job->ident.size) {

        if (job->offset >= end) {
            return NGX_AGAIN;
        }

        n = pread(job->fd, job->buf, NGX_HTTP_OFFLOAD_BUFFER, job->offset);

        if (n == -1) {
            return ngx_http_offload_error(job, "pread()");
        }

        /* shorter or longer than it was */

        if (n == 0 || ol_hasher_update(job->hasher, job->buf, n) != 0) {
            return NGX_DECLINED;
        }

        job->offset += n;
    }

    return NGX_OK;
}


/* what was read is what the path leads to now, and it has not changed */

static ngx_int_t
ngx_http_offload_finish(ngx_http_offload_job_t *job)
{
    ngx_int_t                 rc;
    ngx_file_info_t           fi;
    ngx_http_offload_ident_t  now;

    static u_char  none[OL_HASH_BYTES];

    if (ngx_file_info(job->name.path.data, &fi) == NGX_FILE_ERROR) {
        return ngx_errno == NGX_ENOENT
               ? NGX_DECLINED : ngx_http_offload_error(job, ngx_file_info_n);
    }

    ngx_http_offload_ident(&fi, &now);

    if (!ngx_http_offload_ident_same(&now, &job->ident)
        || ol_hasher_finish(job->hasher, &job->digest) != 0)
    {
        return NGX_DECLINED;
    }

    if (ngx_http_offload_state_save(job->omcf->state->name.data,
                                    &job->name.path, &job->ident,
                                    &job->digest, &job->failed)
        != NGX_OK)
    {
        job->unsaved = 1;
        rc = ngx_http_offload_error(job, job->failed);

        return ngx_http_offload_short(&job->ident) ? NGX_OK : rc;
    }

    job->replaced = ngx_memcmp(job->old, none, OL_HASH_BYTES) != 0
                    && ngx_memcmp(job->old, job->digest.root, OL_HASH_BYTES)
                       != 0;

    return NGX_OK;
}


/* a table that the zone has room for */

static ngx_uint_t
ngx_http_offload_short(ngx_http_offload_ident_t *ident)
{
    return (uint64_t) ol_piece_count(ident->size) * OL_HASH_BYTES
           <= OL_TABLE_INLINE;
}


static ngx_int_t
ngx_http_offload_error(ngx_http_offload_job_t *job, char *failed)
{
    job->err = ngx_errno;
    job->failed = failed;

    return NGX_ERROR;
}


/*
 * Threads stay nice unless they may become less so again: only if that is
 * allowed, or if the pool is not nginx's own and serves no other purpose
 */

ngx_uint_t
ngx_http_offload_may_renice(ngx_http_offload_main_conf_t *omcf)
{
    struct rlimit  rl;

    if (omcf->thread_pool.len != sizeof("default") - 1
        || ngx_strncmp(omcf->thread_pool.data, "default",
                       sizeof("default") - 1)
           != 0)
    {
        return 1;
    }

    if (geteuid() == 0) {
        return 1;
    }

    return getrlimit(RLIMIT_NICE, &rl) == 0 && rl.rlim_cur >= 20;
}

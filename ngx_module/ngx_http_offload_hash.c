
/*
 * What a thread of the pool does with a file: opens it, looks whether its hash
 * is kept already, reads it slice by slice, sees that it has not changed, and
 * keeps what came of it.  No nginx pools, no lock, no logging here.
 */


#include "ngx_http_offload_job.h"

#include "offload/torrent.h"

#include <sys/resource.h>
#include <sys/syscall.h>


#define NGX_HTTP_OFFLOAD_SLICE   (16 * 1024 * 1024)
#define NGX_HTTP_OFFLOAD_BUFFER  (256 * 1024)
#define NGX_HTTP_OFFLOAD_NICE    19


static ngx_int_t ngx_http_offload_open(ngx_http_offload_job_t *job);
static ngx_int_t ngx_http_offload_hash(ngx_http_offload_job_t *job);
static ngx_int_t ngx_http_offload_finish(ngx_http_offload_job_t *job);
static void ngx_http_offload_torrent(ngx_http_offload_job_t *job);
static ngx_uint_t ngx_http_offload_short(ngx_http_offload_ident_t *ident);
static ngx_int_t ngx_http_offload_open_error(ngx_http_offload_job_t *job,
    char *failed);
static ngx_int_t ngx_http_offload_error(ngx_http_offload_job_t *job,
    char *failed, ngx_err_t err);


/*
 * NGX_AGAIN: another slice; NGX_OK: hashed; NGX_BUSY: still
 * too young; NGX_DECLINED: not the version that was seen; NGX_ERROR
 */

void
ngx_http_offload_slice(void *data, ngx_log_t *log)
{
    ngx_http_offload_job_t *job = data;

    int  nice;

    nice = ngx_http_offload_nicer(job->renice);

    job->rc = job->hasher ? ngx_http_offload_hash(job)
                          : ngx_http_offload_open(job);

    if (job->rc == NGX_OK && job->hasher) {
        job->rc = ngx_http_offload_finish(job);
    }

    if (job->rc == NGX_OK) {
        ngx_http_offload_torrent(job);
    }

    ngx_http_offload_nice_again(nice);
}


static ngx_int_t
ngx_http_offload_open(ngx_http_offload_job_t *job)
{
    ngx_file_info_t  fi;

    job->fd = ngx_open_file(job->name.path.data,
                            NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                            NGX_FILE_OPEN, 0);
    if (job->fd == NGX_INVALID_FILE) {
        return ngx_http_offload_open_error(job, ngx_open_file_n);
    }

    if (ngx_fd_info(job->fd, &fi) == NGX_FILE_ERROR) {
        return ngx_http_offload_error(job, ngx_fd_info_n, ngx_errno);
    }

    ngx_http_offload_ident(&fi, &job->ident);

    if (!ngx_is_file(&fi) || job->ident.size != job->seen.size
        || job->ident.mtime != job->seen.mtime)
    {
        return NGX_DECLINED;
    }

    if (ol_state_load((char *) job->omcf->state->name.data,
                      (char *) job->name.path.data, &job->ident, &job->digest)
        == 0)
    {
        return NGX_OK;
    }

    if (ol_version_young(&job->ident, job->now)) {
        return NGX_BUSY;
    }

    /* in vain, if its table can be kept nowhere */

    if (!ngx_http_offload_short(&job->ident)
        && access((char *) job->omcf->state->name.data, W_OK|X_OK) == -1)
    {
        job->unsaved = 1;
        return ngx_http_offload_error(job, "access()", ngx_errno);
    }

    job->buf = malloc(NGX_HTTP_OFFLOAD_BUFFER);

    if (job->buf == NULL || ol_hasher_create(job->ident.size, &job->hasher)
                            != 0)
    {
        return ngx_http_offload_error(job, "malloc()", NGX_ENOMEM);
    }

    /* a second thread is as nice as this one */

    if (job->renice && ngx_ncpu > 1) {
        (void) ol_hasher_spread(job->hasher);
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

        /* a slow disk does not keep a worker that is told to quit */

        if (job->offset >= end || ngx_quit || ngx_terminate || ngx_exiting) {
            return NGX_AGAIN;
        }

        n = pread(job->fd, job->buf, NGX_HTTP_OFFLOAD_BUFFER, job->offset);

        if (n == -1) {
            return ngx_http_offload_error(job, "pread()", ngx_errno);
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
    ngx_file_info_t           fi;
    ngx_http_offload_ident_t  now;

    if (ngx_file_info(job->name.path.data, &fi) == NGX_FILE_ERROR) {
        return ngx_http_offload_open_error(job, ngx_file_info_n);
    }

    ngx_http_offload_ident(&fi, &now);

    if (!ngx_http_offload_ident_same(&now, &job->ident)
        || ol_hasher_finish(job->hasher, &job->digest) != 0)
    {
        return NGX_DECLINED;
    }

    if (ol_state_save((char *) job->omcf->state->name.data,
                      (char *) job->name.path.data, &job->ident, &job->digest,
                      1, &job->error)
        != 0)
    {
        job->unsaved = 1;
        job->failed = 1;

        return ngx_http_offload_short(&job->ident) ? NGX_OK : NGX_ERROR;
    }

    return NGX_OK;
}


/* its torrent is named after the subject; its hashes are sent from the disk */

static void
ngx_http_offload_torrent(ngx_http_offload_job_t *job)
{
    char  *name;

    name = strrchr((char *) job->name.sub.data, '/');

    job->torrent = !job->unsaved && name
                   && ol_torrent_infohash(name + 1, job->digest.size,
                                          job->digest.sha1, job->infohash)
                      == 0;
}


/* a table that the zone has room for */

static ngx_uint_t
ngx_http_offload_short(ngx_http_offload_ident_t *ident)
{
    return (uint64_t) ol_piece_count(ident->size) * OL_HASH_BYTES
           <= OL_TABLE_INLINE;
}


/* NGX_DECLINED: it went */

static ngx_int_t
ngx_http_offload_open_error(ngx_http_offload_job_t *job, char *failed)
{
    ngx_err_t  err;

    err = ngx_errno;

    if (err == NGX_ENOENT || err == NGX_ENOTDIR) {
        return NGX_DECLINED;
    }

    return ngx_http_offload_error(job, failed, err);
}


static ngx_int_t
ngx_http_offload_error(ngx_http_offload_job_t *job, char *failed,
    ngx_err_t err)
{
    job->failed = 1;

    (void) ol_error_set(&job->error, err, "%s failed (%d: %s)", failed, err,
                        strerror(err));

    return NGX_ERROR;
}


/* what the thread's niceness was, or NGX_HTTP_OFFLOAD_NICE: is as it was */

int
ngx_http_offload_nicer(ngx_uint_t renice)
{
    int    nice;
    pid_t  tid;

    tid = (pid_t) syscall(SYS_gettid);
    nice = getpriority(PRIO_PROCESS, tid);

    if (!renice || nice >= NGX_HTTP_OFFLOAD_NICE) {
        return NGX_HTTP_OFFLOAD_NICE;
    }

    (void) setpriority(PRIO_PROCESS, tid, NGX_HTTP_OFFLOAD_NICE);

    return nice;
}


void
ngx_http_offload_nice_again(int nice)
{
    if (nice < NGX_HTTP_OFFLOAD_NICE) {
        (void) setpriority(PRIO_PROCESS, (pid_t) syscall(SYS_gettid), nice);
    }
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

/*
 * Work for the helper threads (job.h).
 *
 * Owns: the count of what is under way.  Must not know what the work is.
 */
#include "node/job.h"

static void
on_run(uv_work_t *work)
{
    struct job *job = work->data;

    job->run(job);
}

static void
on_done(uv_work_t *work, int status)
{
    struct job *job = work->data;

    (void)status; /* nothing is ever cancelled */
    job->jobs->active--;
    job->done(job);
}

void
job_start(struct jobs *jobs, struct job *job, void (*run)(struct job *job),
          void (*done)(struct job *job))
{
    job->jobs = jobs;
    job->run = run;
    job->done = done;
    job->work.data = job;
    jobs->active++;
    uv_queue_work(jobs->loop, &job->work, on_run, on_done);
}

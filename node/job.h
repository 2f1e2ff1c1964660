/*
 * Work for the helper threads, so that the loop's thread does not wait for
 * the disk: run is called in one of them, then done in the loop's.  The struct
 * is embedded in what the work needs, which nobody else touches meanwhile.
 */
#ifndef NODE_JOB_H
#define NODE_JOB_H

#include <uv.h>

struct jobs {
    uv_loop_t *loop;
    unsigned active; /* begun and not yet done: the end waits for them */
};

struct job {
    uv_work_t work;
    struct jobs *jobs;
    void (*run)(struct job *job);
    void (*done)(struct job *job);
};

void job_start(struct jobs *jobs, struct job *job, void (*run)(struct job *job),
               void (*done)(struct job *job));

#define JOB_OF(job, type, member)                                              \
    ((type *)(void *)((char *)(job)-offsetof(type, member)))

#endif

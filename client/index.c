/*
 * `offload index`: hashes the files of a site before anybody asks for them,
 * into the folder that the module keeps hashes in, beside a running nginx.
 *
 * Owns the options, the threads, and what is said of them.
 */
#include "client/index.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "client/hashing.h"
#include "client/progress.h"
#include "client/tree.h"
#include "net/daemon.h"
#include "offload/state.h"

#define STATE "/var/lib/nginx/offload"
#define MIN_LENGTH (256u << 10)
#define JOBS_MAX 64
#define COMPLAINTS_MAX 20 /* lines; the rest is counted */
#define TICK_MS 50
#define COLLECT_STEP 256
#define PLACES_SHOWN 64 /* progress is shown after so many */

static const char usage[] =
    "usage: offload index [OPTION]... DIR\n"
    "\n"
    "Hashes the files in DIR, as the nginx module does when a file is first\n"
    "asked for, so that it need not.  What is up to date is left alone; nginx\n"
    "may be running.  Name DIR as nginx does (\"root\" or \"alias\"): what is\n"
    "kept of a file is found by the path that nginx opens.\n"
    "\n"
    "      --state PATH        nginx's \"offload_state\"\n"
    "                          (default: " STATE ")\n"
    "  -j, --jobs N            files at a time (default: one a CPU)\n"
    "      --min-length SIZE   leave out smaller ones (default: 256k, as\n"
    "                          \"offload_min_length\")\n"
    "      --json              a report on standard output\n"
    "  -q, --quiet             no progress, no summary\n"
    "  -h, --help\n"
    "\n"
    "What begins with a dot is left out; links are followed that stay in "
    "DIR.\n"
    "\n"
    "Exit status: 0 done; 1 some files could not be read; 2 usage; 23 the\n"
    "state folder cannot be written to or cleared up; 27 no memory; 92 a file\n"
    "kept changing; 130 interrupted.\n";

struct options {
    const char *state;
    uint64_t min_length;
    unsigned jobs;
    bool json, quiet;
};

struct index {
    struct options options;
    char *dir;
    struct tree tree;
    atomic_size_t next; /* file of the tree */
    atomic_ullong hashed;

    pthread_mutex_t lock; /* of the rest, and of the terminal */
    pthread_cond_t ended; /* a thread */
    unsigned running;     /* threads */
    struct progress progress;
    unsigned long counts[HASHING_STOPPED + 1];
    unsigned long places; /* that were looked at */
    unsigned long unseen; /* that could not be */
    unsigned long complaints;
    uint64_t waived; /* bytes that need not be hashed after all */
    struct ol_collected collected;
    uint64_t started_ms;
};

/* A signal came, or there is no point in going on. */
static atomic_bool stop;
static volatile sig_atomic_t interrupted;

static void
on_signal(int signum)
{
    (void)signum;
    interrupted = 1;
    atomic_store(&stop, true);
}

static uint64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Names of files may contain anything: what a terminal would obey, too. */
static void
say(const char *path, const char *reason)
{
    mbstate_t state = {0};

    fputs("offload index: ", stderr);
    while (*path != '\0') {
        wchar_t c;
        size_t n = mbrtowc(&c, path, strlen(path), &state);

        if (n > MB_LEN_MAX) { /* not of this language */
            memset(&state, 0, sizeof(state));
            c = L'\0';
            n = 1;
        }
        if (iswprint((wint_t)c))
            fwrite(path, 1, n, stderr);
        else
            fputc('?', stderr);
        path += n;
    }
    fprintf(stderr, ": %s\n", reason);
}

/* With the lock. */
static void
complain(struct index *index, const char *path, const char *reason)
{
    if (++index->complaints > COMPLAINTS_MAX)
        return;
    progress_end(&index->progress);
    say(path, reason);
}

static void
on_unseen(void *arg, const char *path, int code)
{
    struct index *index = arg;

    index->unseen++;
    complain(index, path, strerror(code));
}

/* The folder is being read; nothing is known of its size yet. */
static bool
on_place(void *arg)
{
    struct index *index = arg;
    struct progress_state state = {.note = NULL};
    char note[48];

    if (++index->places % PLACES_SHOWN == 0) {
        snprintf(note, sizeof(note), "%zu files found", index->tree.count);
        state.note = note;
        progress_show(&index->progress, &state, now_ms());
    }
    return !atomic_load(&stop);
}

static void
account(struct index *index, const struct tree_file *file,
        const struct hashing_job *job, enum hashing got,
        const struct ol_error *err)
{
    pthread_mutex_lock(&index->lock);
    index->counts[got]++;
    if (got != HASHING_DONE)
        index->waived += file->size;
    else if (job->size < file->size)
        index->waived += file->size - job->size;
    if (got == HASHING_CHANGED || got == HASHING_UNREADABLE) {
        complain(index, file->path, err->text);
    } else if (got == HASHING_UNKEPT && !atomic_load(&stop)) {
        complain(index, index->options.state, err->text);
        atomic_store(&stop, true);
    }
    pthread_mutex_unlock(&index->lock);
}

static void *
thread_run(void *arg)
{
    struct index *index = arg;

    while (!atomic_load(&stop)) {
        size_t n = atomic_fetch_add(&index->next, 1);
        const struct tree_file *file = &index->tree.files[n];
        struct hashing_job job = {.state = index->options.state,
                                  .min_length = index->options.min_length,
                                  .spread =
                                      index->tree.count < index->options.jobs,
                                  .hashed = &index->hashed,
                                  .stop = &stop};
        struct ol_error err = {""};
        enum hashing got;

        if (n >= index->tree.count)
            break;
        job.path = file->path;
        got = hashing_run(&job, &err);
        account(index, file, &job, got, &err);
    }
    pthread_mutex_lock(&index->lock);
    index->running--;
    pthread_cond_signal(&index->ended);
    pthread_mutex_unlock(&index->lock);
    return NULL;
}

/* With the lock. */
static void
show(struct index *index)
{
    struct progress_state state = {.done = atomic_load(&index->hashed)};
    unsigned long done = 0;
    char note[48];

    for (unsigned i = 0; i < HASHING_STOPPED; i++)
        done += index->counts[i];
    state.size = index->tree.bytes - index->waived;
    if (state.size < state.done)
        state.size = state.done; /* files have grown */
    snprintf(note, sizeof(note), "files %lu/%zu", done, index->tree.count);
    state.note = note;
    progress_show(&index->progress, &state, now_ms());
}

/* Until all threads have ended. */
static void
watch(struct index *index)
{
    struct timespec tick;

    pthread_mutex_lock(&index->lock);
    while (index->running > 0) {
        show(index);
        clock_gettime(CLOCK_REALTIME, &tick);
        tick.tv_nsec += TICK_MS * 1000000L;
        tick.tv_sec += tick.tv_nsec / 1000000000;
        tick.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&index->ended, &index->lock, &tick);
    }
    progress_end(&index->progress);
    pthread_mutex_unlock(&index->lock);
}

static int
hash_all(struct index *index)
{
    pthread_t threads[JOBS_MAX];
    unsigned wanted = index->options.jobs, count = 0;

    if (wanted > index->tree.count)
        wanted = (unsigned)index->tree.count;
    index->running = wanted;
    while (count < wanted &&
           pthread_create(&threads[count], NULL, thread_run, index) == 0)
        count++;
    /* If there are fewer than wanted, these do it. */
    pthread_mutex_lock(&index->lock);
    index->running -= wanted - count;
    pthread_mutex_unlock(&index->lock);
    if (count == 0 && wanted > 0)
        return -EAGAIN;
    watch(index);
    while (count > 0)
        pthread_join(threads[--count], NULL);
    return 0;
}

/* Also of what was done before it was interrupted. */
static void
make_durable(struct index *index)
{
    struct ol_error err;

    if (index->counts[HASHING_DONE] > 0 &&
        ol_state_sync(index->options.state, &err) < 0) {
        index->counts[HASHING_UNKEPT]++;
        complain(index, index->options.state, err.text);
    }
}

/* What was kept of files of this folder that are gone. */
static void
collect(struct index *index)
{
    struct ol_collector *collector = NULL;
    struct ol_error err;
    int rc = ol_collector_create(index->options.state, index->dir, time(NULL),
                                 &collector, &err);

    while (rc >= 0 && !atomic_load(&stop)) {
        rc = ol_collector_step(collector, COLLECT_STEP, &err);
        if (rc == 0)
            break;
    }
    if (collector != NULL)
        index->collected = ol_collector_result(collector);
    if (rc < 0) {
        index->collected.failed++;
        complain(index, index->options.state, err.text);
    } else if (index->collected.failed > 0) {
        complain(index, index->options.state, index->collected.reason.text);
        index->complaints += index->collected.failed - 1;
    }
    ol_collector_free(collector);
}

static enum outcome
outcome_of(const struct index *index)
{
    const unsigned long *counts = index->counts;

    if (interrupted)
        return OUTCOME_INTERRUPTED;
    if (counts[HASHING_UNKEPT] > 0 || index->collected.failed > 0)
        return OUTCOME_WRITE;
    if (counts[HASHING_UNREADABLE] > 0 || index->unseen > 0)
        return OUTCOME_FAILED;
    return counts[HASHING_CHANGED] > 0 ? OUTCOME_CHANGED : OUTCOME_OK;
}

static void
report_json(const struct index *index, double seconds)
{
    const unsigned long *counts = index->counts;
    json_t *json =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:I}", "files",
                  (json_int_t)index->tree.count, "hashed",
                  (json_int_t)counts[HASHING_DONE], "kept",
                  (json_int_t)counts[HASHING_KEPT], "gone",
                  (json_int_t)counts[HASHING_GONE], "changed",
                  (json_int_t)counts[HASHING_CHANGED], "failed",
                  (json_int_t)(counts[HASHING_UNREADABLE] +
                               counts[HASHING_UNKEPT] + index->unseen),
                  "bytes", (json_int_t)atomic_load(&index->hashed), "seconds",
                  seconds, "removed", (json_int_t)index->collected.removed);

    if (json != NULL && json_dumpf(json, stdout, JSON_INDENT(2)) == 0)
        putchar('\n');
    json_decref(json);
}

static void
report_text(const struct index *index, double seconds)
{
    double bytes = (double)atomic_load(&index->hashed);
    char amount[16], rate[16];

    progress_bytes_text(amount, sizeof(amount), bytes);
    progress_bytes_text(rate, sizeof(rate), seconds > 0 ? bytes / seconds : 0);
    fprintf(stderr,
            "%zu files: %lu hashed (%s in %.1f s, %s/s), %lu were up to date",
            index->tree.count, index->counts[HASHING_DONE], amount, seconds,
            rate, index->counts[HASHING_KEPT]);
    if (index->collected.removed > 0)
        fprintf(stderr, "; %lu useless files removed from %s",
                index->collected.removed, index->options.state);
    fputc('\n', stderr);
}

static void
report(const struct index *index)
{
    double seconds = (double)(now_ms() - index->started_ms) / 1000;

    if (index->complaints > COMPLAINTS_MAX)
        fprintf(stderr, "offload index: and %lu more\n",
                index->complaints - COMPLAINTS_MAX);
    if (index->options.json)
        report_json(index, seconds);
    else if (!index->options.quiet)
        report_text(index, seconds);
    if (interrupted)
        fputs("offload index: interrupted; what is hashed is kept\n", stderr);
}

/* Workers have to read what is written here, and to replace it. */
static enum outcome
state_check(const char *path)
{
    struct stat st;
    const char *why = NULL;
    bool missing = stat(path, &st) < 0;

    if (missing)
        why = strerror(errno);
    else if (!S_ISDIR(st.st_mode))
        why = "not a folder";
    else if (geteuid() != 0 && geteuid() != st.st_uid)
        why = "belongs to another user, to nginx's probably; run this as that "
              "user, or as root";
    else if (access(path, R_OK | W_OK | X_OK) < 0)
        why = strerror(errno);
    if (why == NULL)
        return OUTCOME_OK;
    fprintf(stderr, "offload index: %s: %s\n", path, why);
    if (missing)
        fputs("offload index: nginx makes this folder when it starts; --state "
              "names another one, as \"offload_state\" does\n",
              stderr);
    return OUTCOME_WRITE;
}

static void
signals_take(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static enum outcome
index_run(struct index *index, const char *dir)
{
    const struct tree_watch watch = {
        .go_on = on_place, .complain = on_unseen, .arg = index};
    enum outcome outcome = state_check(index->options.state);
    int rc;

    if (outcome != OUTCOME_OK)
        return outcome;
    index->dir = tree_absolute(dir);
    if (index->dir == NULL) {
        fprintf(stderr, "offload index: %s: %s\n", dir, strerror(errno));
        return OUTCOME_FAILED;
    }
    index->started_ms = now_ms();
    progress_init(&index->progress, index->options.quiet, index->started_ms);
    signals_take();
    rc = tree_read(&index->tree, index->dir, index->options.min_length, &watch);
    if (rc < 0 && rc != -ECANCELED) {
        progress_end(&index->progress);
        say(index->dir, strerror(-rc));
        return rc == -ENOMEM ? OUTCOME_MEMORY : OUTCOME_FAILED;
    }
    rc = hash_all(index);
    if (rc < 0) {
        fprintf(stderr, "offload index: no thread: %s\n", strerror(-rc));
        return OUTCOME_MEMORY;
    }
    make_durable(index);
    if (!atomic_load(&stop))
        collect(index);
    report(index);
    return outcome_of(index);
}

/* False: there is nothing to do but to exit so. */
static bool
options_parse(int argc, char **argv, struct options *options,
              enum outcome *outcome)
{
    static const struct option known[] = {
        {"state", required_argument, NULL, 's'},
        {"jobs", required_argument, NULL, 'j'},
        {"min-length", required_argument, NULL, 'm'},
        {"json", no_argument, NULL, 'J'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    uint64_t number = 0;
    bool good = true;
    int c;

    while (good && (c = getopt_long(argc, argv, "j:qh", known, NULL)) != -1) {
        switch (c) {
        case 's':
            options->state = optarg;
            break;
        case 'j':
            good = daemon_size_parse(optarg, &number) == 0 && number >= 1 &&
                   number <= JOBS_MAX;
            options->jobs = (unsigned)number;
            break;
        case 'm':
            good = daemon_size_parse(optarg, &options->min_length) == 0;
            break;
        case 'J':
            options->json = true;
            break;
        case 'q':
            options->quiet = true;
            break;
        case 'h':
            fputs(usage, stdout);
            *outcome = OUTCOME_OK;
            return false;
        default:
            good = false;
        }
    }
    if (good && optind == argc - 1)
        return true;
    fputs(usage, stderr);
    *outcome = OUTCOME_USAGE;
    return false;
}

enum outcome
index_main(int argc, char **argv)
{
    struct index index = {.lock = PTHREAD_MUTEX_INITIALIZER,
                          .ended = PTHREAD_COND_INITIALIZER};
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    enum outcome outcome;

    index.options.state = STATE;
    index.options.min_length = MIN_LENGTH;
    index.options.jobs = cpus < 1          ? 1
                         : cpus > JOBS_MAX ? JOBS_MAX
                                           : (unsigned)cpus;
    if (!options_parse(argc, argv, &index.options, &outcome))
        return outcome;
    setlocale(LC_CTYPE, ""); /* what a terminal can show */
    if (index.options.min_length == 0)
        index.options.min_length = 1; /* nothing is no content */
    outcome = index_run(&index, argv[optind]);
    tree_clear(&index.tree);
    free(index.dir);
    return outcome;
}

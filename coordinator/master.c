/*
 * The first process: keeps the sockets, starts workers and starts them again,
 * passes signals on, and turns into the program's newer version.
 *
 * It keeps its process id all its life, so that whoever watches it need not
 * know of all this: for SIGUSR2 it executes the program anew, which inherits
 * the sockets and, as children, the old workers; they go once the new ones are
 * ready.  Must not know what workers do; never waits for anything but signals
 * and them.
 */
#include "coordinator/master.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "coordinator/app.h"
#include "coordinator/sockets.h"
#include "net/daemon.h"
#include "net/log.h"

#define INHERIT "OFFLOAD_COORDINATOR_SOCKETS"
/* Workers are asked to be gone in APP_STOP_MS, and then killed. */
#define STOP_MS (APP_STOP_MS + 3000)
/* What tries the new program only reads files. */
#define TEST_MS 5000
/* A worker that ends sooner is started again after a pause, which doubles. */
#define STEADY_MS 10000
#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 5000
/* The workers of a master that was killed may take a moment to follow it. */
#define BIND_TRIES 25
#define BIND_PAUSE_MS 20

struct slot {
    pid_t pid; /* 0: none runs */
    bool ready;
    int64_t since_ms, due_ms;
    unsigned pause_ms;
};

static struct master {
    int argc;
    char **argv;
    char program[4096]; /* as it was found at the start */
    struct options *o;
    int (*serve)(const struct master_worker *, struct options *);

    struct sockets sockets;
    struct slot slots[METRICS_WORKERS];
    int signals, ready[2]; /* signalfd; a byte for each worker that serves */
    bool announced;        /* all have been ready once */
    pid_t tester;          /* tries a new program; 0: none does */
    /* Since when it is to stop, the old workers are, the tester runs; 0: not */
    int64_t stop_ms, retire_ms, test_ms;
    int status;
} master = {.signals = -1, .ready = {-1, -1}};

static void
signals_set(sigset_t *ret)
{
    static const int list[] = {SIGTERM, SIGINT,  SIGHUP,
                               SIGQUIT, SIGUSR2, SIGCHLD};

    sigemptyset(ret);
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        sigaddset(ret, list[i]);
}

static void
all_signal(int signum)
{
    for (unsigned i = 0; i < master.sockets.count; i++)
        if (master.slots[i].pid > 0)
            kill(master.slots[i].pid, signum);
}

static void
old_signal(int signum)
{
    for (unsigned i = 0; i < master.sockets.old_count; i++)
        kill(master.sockets.old[i], signum);
}

/* Workers. */

static int
fd_of(enum sockets_kind kind, unsigned number)
{
    return master.sockets.where[kind][0] == '\0'
               ? -1
               : master.sockets.fds[kind][number];
}

/* In the new process: it goes when the master goes, whatever happens. */
static int
worker_begin(unsigned number, pid_t parent)
{
    const struct master_worker worker = {
        .number = number,
        .listen = fd_of(SOCKETS_LISTEN, number),
        .listen_tls = fd_of(SOCKETS_TLS, number),
        .udp = fd_of(SOCKETS_UDP, number),
        .ready = master.ready[1],
        .argc = master.argc,
        .argv = master.argv,
    };

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        return 1;
    close(master.signals);
    close(master.ready[0]);
    sockets_only(&master.sockets, number);
    return master.serve(&worker, master.o);
}

static void
worker_start(unsigned number, int64_t now)
{
    struct slot *slot = &master.slots[number];
    pid_t parent = getpid(), pid = fork();

    if (pid == 0)
        exit(worker_begin(number, parent));
    slot->ready = false;
    slot->since_ms = now;
    if (pid < 0) {
        log_error("cannot start worker %u: %s", number, strerror(errno));
        slot->due_ms = now + PAUSE_MAX_MS;
        return;
    }
    slot->pid = pid;
}

static void
worker_ended(unsigned number, int status, int64_t now)
{
    struct slot *slot = &master.slots[number];
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;

    slot->pid = 0;
    if (!clean && WIFEXITED(status))
        master.status = 1; /* of its own accord: it has said why */
    if (master.stop_ms != 0)
        return;
    if (!master.announced && !clean && master.sockets.old_count == 0) {
        master.stop_ms = now; /* it never worked: it will not either */
        all_signal(SIGTERM);
        return;
    }
    if (WIFSIGNALED(status))
        log_error("worker %u was ended by signal %d, starting another", number,
                  WTERMSIG(status));
    else
        log_error("worker %u ended with status %d, starting another", number,
                  WEXITSTATUS(status));
    if (now - slot->since_ms >= STEADY_MS)
        slot->pause_ms = 0;
    slot->due_ms = now + slot->pause_ms;
    slot->pause_ms = slot->pause_ms == 0 ? PAUSE_MIN_MS : 2 * slot->pause_ms;
    if (slot->pause_ms > PAUSE_MAX_MS)
        slot->pause_ms = PAUSE_MAX_MS;
}

static void
worker_ready(unsigned number, int64_t now)
{
    const struct sockets *s = &master.sockets;

    if (number < s->count)
        master.slots[number].ready = true;
    for (unsigned i = 0; i < s->count; i++)
        if (!master.slots[i].ready)
            return;
    if (s->old_count > 0 && master.retire_ms == 0) {
        master.retire_ms = now;
        old_signal(SIGQUIT);
    }
    if (master.announced)
        return;
    master.announced = true;
    daemon_notify("READY=1");
    log_info("ready: listening on http://%s", master.o->listen);
    if (master.o->listen_tls != NULL)
        log_info("and on https://%s", master.o->listen_tls);
}

/* A new program. */

/* The new program tries the options first: this one then still runs. */
static void
renew_test(int64_t now)
{
    char **argv;

    if (master.tester != 0 || master.sockets.old_count > 0) {
        log_warn("still at the last SIGUSR2, this one is ignored");
        return;
    }
    argv = calloc((size_t)master.argc + 2, sizeof(*argv));
    if (argv == NULL)
        return;
    memcpy(argv, master.argv, (size_t)master.argc * sizeof(*argv));
    argv[master.argc] = (char *)(uintptr_t) "--test";
    log_info("executing %s anew", master.program);
    master.tester = fork();
    if (master.tester == 0) {
        master_signals_allow();
        execv(master.program, argv);
        log_error("cannot execute %s: %s", master.program, strerror(errno));
        _exit(1);
    }
    free(argv);
    master.test_ms = now;
    if (master.tester < 0) {
        log_error("cannot try the new program: %s", strerror(errno));
        master.tester = 0;
    }
}

static void
renew(int status)
{
    char text[SOCKETS_TEXT];
    unsigned n = 0;

    master.tester = 0;
    if (master.stop_ms != 0)
        return;
    if (status != 0) {
        log_error("the program as it is now does not start: nothing changes");
        return;
    }
    for (unsigned i = 0; i < master.sockets.count; i++)
        if (master.slots[i].pid > 0)
            master.sockets.old[n++] = master.slots[i].pid;
    master.sockets.old_count = n;
    sockets_text(&master.sockets, getpid(), text);
    sockets_keep(&master.sockets, true);
    if (setenv(INHERIT, text, 1) == 0)
        execv(master.program, master.argv);
    log_error("cannot execute %s: %s", master.program, strerror(errno));
    unsetenv(INHERIT);
    sockets_keep(&master.sockets, false);
    master.sockets.old_count = 0;
}

/* Takes what the program before this one has left. */
static void
sockets_inherit(void)
{
    const char *inherited = getenv(INHERIT);

    if (inherited != NULL &&
        sockets_parse(inherited, getpid(), &master.sockets) == 0)
        sockets_keep(&master.sockets, false);
    unsetenv(INHERIT);
}

static int
sockets_begin(struct ol_error *err)
{
    const struct timespec pause = {.tv_nsec = BIND_PAUSE_MS * 1000000L};
    int rc;

    for (int i = 0; i < BIND_TRIES; i++) {
        rc = sockets_open(&master.sockets, master.o, err);
        if (rc != -EADDRINUSE)
            break;
        nanosleep(&pause, NULL);
    }
    return rc;
}

/* Events. */

static void
on_fixed(const char *name)
{
    log_warn("%s has changed: SIGUSR2 is needed for that", name);
}

static void
options_again(void)
{
    struct ol_error err = {""};
    struct options next;

    if (options_parse(master.argc, master.argv, &next, &err) != 0) {
        log_error("options stay as they are: %s", err.text);
        return;
    }
    options_update(master.o, &next, on_fixed);
    log_set_level(master.o->level);
    log_info("reading options and files again");
    all_signal(SIGHUP);
}

static void
stop_begin(int64_t now)
{
    if (master.stop_ms != 0)
        return;
    log_info("stopping");
    daemon_notify("STOPPING=1");
    master.stop_ms = now;
    all_signal(SIGTERM);
    old_signal(SIGTERM);
    if (master.tester > 0)
        kill(master.tester, SIGTERM);
}

static void
child_ended(pid_t pid, int status, int64_t now)
{
    struct sockets *s = &master.sockets;

    if (pid == master.tester) {
        renew(status);
        return;
    }
    for (unsigned i = 0; i < s->count; i++)
        if (master.slots[i].pid == pid) {
            worker_ended(i, status, now);
            return;
        }
    for (unsigned i = 0; i < s->old_count; i++)
        if (s->old[i] == pid) {
            s->old[i] = s->old[--s->old_count];
            if (status != 0)
                master.status = 1;
            if (s->old_count == 0)
                log_info("the old workers have gone");
            return;
        }
}

static void
children_reap(int64_t now)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        child_ended(pid, status, now);
}

static void
on_signals(int64_t now)
{
    struct signalfd_siginfo info;

    while (read(master.signals, &info, sizeof(info)) == sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGTERM:
        case SIGINT:
            stop_begin(now);
            break;
        case SIGHUP:
            options_again();
            break;
        case SIGUSR2:
            if (master.stop_ms == 0)
                renew_test(now);
            break;
        default: /* SIGCHLD: they are reaped anyway */
            break;
        }
    }
}

/* Starts what is due; the ms until the next is, -1: none will be. */
static int
workers_due(int64_t now)
{
    int64_t wait = -1, left;

    for (unsigned i = 0; i < master.sockets.count; i++) {
        if (master.slots[i].pid != 0)
            continue;
        left = master.slots[i].due_ms - now;
        if (left <= 0)
            worker_start(i, now);
        else if (wait < 0 || left < wait)
            wait = left;
    }
    return (int)wait;
}

static bool
any_left(void)
{
    for (unsigned i = 0; i < master.sockets.count; i++)
        if (master.slots[i].pid > 0)
            return true;
    return master.sockets.old_count > 0 || master.tester > 0;
}

/* Kills whatever should have gone by now; the ms until it looks again. */
static int
late_kill(int64_t now)
{
    if (master.stop_ms != 0 && now - master.stop_ms > STOP_MS) {
        log_error("a worker does not stop, killing it");
        all_signal(SIGKILL);
        old_signal(SIGKILL);
    } else if (master.retire_ms != 0 && master.sockets.old_count > 0 &&
               now - master.retire_ms > STOP_MS) {
        log_error("an old worker does not stop, killing it");
        old_signal(SIGKILL);
    }
    if (master.tester > 0 && now - master.test_ms > TEST_MS) {
        log_error("the new program does not say whether it starts, killing it");
        kill(master.tester, SIGKILL);
    }
    if (master.stop_ms != 0)
        return 100;
    return master.sockets.old_count > 0 || master.tester > 0 ? 1000 : -1;
}

static void
master_loop(void)
{
    struct pollfd fds[] = {{.fd = master.signals, .events = POLLIN},
                           {.fd = master.ready[0], .events = POLLIN}};
    int64_t now = app_ticks_ms();
    unsigned char number;
    int wait, due;

    while (master.stop_ms == 0 || any_left()) {
        wait = late_kill(now);
        due = master.stop_ms == 0 ? workers_due(now) : -1;
        poll(fds, 2, due < 0 || (wait >= 0 && wait < due) ? wait : due);
        now = app_ticks_ms();
        while (read(master.ready[0], &number, 1) == 1)
            worker_ready(number, now);
        on_signals(now);
        children_reap(now);
    }
}

void
master_signals_allow(void)
{
    sigset_t set;

    signals_set(&set);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void
master_tell_ready(const struct master_worker *worker)
{
    unsigned char number = (unsigned char)worker->number;

    (void)!write(worker->ready, &number, 1);
    close(worker->ready);
}

static int
master_begin(struct ol_error *err)
{
    struct ol_key *key = NULL;
    ssize_t len;
    bool made;
    sigset_t set;
    int rc;

    len =
        readlink("/proc/self/exe", master.program, sizeof(master.program) - 1);
    if (len < 0)
        return ol_error_set(err, errno, "cannot find this program's file");
    rc = daemon_key_open(master.o->key, &key, &made, err);
    if (rc != 0)
        return rc;
    if (made)
        log_info("made the key %s", master.o->key);
    log_info("key id %s, public key %s", ol_key_id(key), ol_key_x(key));
    ol_key_free(key);
    signals_set(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    master.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (master.signals < 0 ||
        pipe2(master.ready, O_CLOEXEC | O_NONBLOCK) != 0 ||
        metrics_share() != 0)
        return ol_error_set(err, errno, "cannot start: %s", strerror(errno));
    return sockets_begin(err);
}

int
master_run(int argc, char **argv, struct options *o,
           int (*serve)(const struct master_worker *worker, struct options *o))
{
    struct ol_error err = {""};
    int rc;

    master.argc = argc;
    master.argv = argv;
    master.o = o;
    master.serve = serve;
    sockets_inherit();
    rc = master_begin(&err);
    if (rc != 0) {
        log_error("%s", err.text);
        if (master.sockets.old_count == 0)
            return 1;
        master.status = 1; /* they would be killed with this one: they end */
        stop_begin(app_ticks_ms());
    }
    master_loop();
    return master.status;
}

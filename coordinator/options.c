/*
 * The options of offload-coordinator, as one table: the command line and the
 * file of options are read by it, and --help is written from it.
 *
 * Must not know what the options are for.
 */
#include "coordinator/options.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/contents/placement.h"
#include "coordinator/status/metrics.h"
#include "net/daemon.h"

#define HOLDERS_DEFAULT 3
#define AUDIT_RATE_DEFAULT (2u << 20)
#define ANNOUNCE_INTERVAL_DEFAULT 1800

enum kind { TEXT, NUMBER, SIZE, WORD, NETS };

struct row {
    const char *name;
    enum kind kind;
    size_t at;         /* of the member */
    const char *value; /* what --help calls it */
    const char *help;
    unsigned min, max;        /* NUMBER */
    const char *const *words; /* WORD: the member is the position */
    bool fixed;               /* a change takes a new process */
};

static const char *const admissions[] = {"open", "list", "invite", NULL};
static const char *const switches[] = {"off", "on", NULL};
static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

#define AT(member) offsetof(struct options, member)

static const struct row rows[] = {
    {"config", TEXT, AT(config), "FILE",
     .help = "options, one \"name value\" a line", .fixed = true},
    {"listen", TEXT, AT(listen), "ADDR:PORT",
     .help = "where to listen (127.0.0.1:8090; *:8090: everywhere)",
     .fixed = true},
    {"listen-tls", TEXT, AT(listen_tls), "ADDR:PORT",
     .help = "the same with TLS; needs the next two", .fixed = true},
    {"tls-cert", TEXT, AT(tls_cert), "FILE",
     .help = "certificate and chain, PEM"},
    {"tls-key", TEXT, AT(tls_key), "FILE", .help = "its key, PEM"},
    {"workers", NUMBER, AT(workers), "N", .help = "processes that serve (1)",
     .min = 1, .max = METRICS_WORKERS, .fixed = true},
    {"redis", TEXT, AT(redis), "URL",
     .help = "unix:/path or redis://[:password@]host[:port][/db]",
     .fixed = true},
    {"key", TEXT, AT(key), "FILE",
     .help = "its own key, made if absent (coordinator.pem)", .fixed = true},
    {"allow-net", NETS, AT(allow), "CIDR",
     .help = "a private network sites and nodes may be in"},
    {"trusted-proxy", NETS, AT(proxies), "CIDR",
     .help = "whose X-Forwarded-For is believed; repeatable"},
    {"admin-net", NETS, AT(admins), "CIDR",
     .help = "who may see what is not public (loopback); repeatable"},
    {"holders", NUMBER, AT(holders), "N",
     .help = "least nodes that hold a file (3)", .min = 1,
     .max = PLACEMENT_HOLDERS_MAX},
    {"holders-max", NUMBER, AT(holders_max), "N",
     .help = "and most, when many ask for it", .min = 1,
     .max = PLACEMENT_HOLDERS_MAX},
    {"admission", WORD, AT(admission), "WHO",
     .help = "which nodes may register: open, list or invite (open)",
     .words = admissions},
    {"nodes-file", TEXT, AT(nodes_file), "FILE",
     .help = "ids of nodes that may"},
    {"invitations", TEXT, AT(invitations), "FILE",
     .help = "tokens that let others in"},
    {"geoip", TEXT, AT(geoip), "FILE", .help = "MaxMind database of countries"},
    {"audit-rate", SIZE, AT(audit_rate), "SIZE",
     .help = "bytes per second spent on audits (2M; 0: none)"},
    {"tracker", WORD, AT(tracker), "on|off", .help = "BitTorrent tracker (on)",
     .words = switches, .fixed = true},
    {"announce-interval", NUMBER, AT(announce_interval), "S",
     .help = "seconds between announces (1800)", .min = 60, .max = 86400},
    {"log-level", WORD, AT(level), "LEVEL",
     .help = "error, warn, info or debug (info)", .words = levels},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct row *
row_find(const char *name, size_t len)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strlen(rows[i].name) == len &&
            strncmp(rows[i].name, name, len) == 0)
            return &rows[i];
    return NULL;
}

/* Values. */

static void *
member(const struct row *row, struct options *o)
{
    return (char *)o + row->at;
}

static int
number_take(const struct row *row, unsigned *ret, const char *text,
            struct ol_error *why)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (!isdigit((unsigned char)*text) || *end != '\0' || n < row->min ||
        n > row->max)
        return ol_error_set(why, EINVAL, "\"%s\" is not a number from %u to %u",
                            text, row->min, row->max);
    *ret = (unsigned)n;
    return 0;
}

/* The members that words are for: two enums and a bool. */
static void
word_put(const struct row *row, struct options *o, unsigned position)
{
    if (row->at == AT(admission))
        o->admission = (enum options_admission)position;
    else if (row->at == AT(level))
        o->level = (enum log_level)position;
    else
        o->tracker = position != 0;
}

static int
word_take(const struct row *row, struct options *o, const char *text,
          struct ol_error *why)
{
    char list[64] = "";
    unsigned i;

    for (i = 0; row->words[i] != NULL; i++) {
        if (strcmp(row->words[i], text) == 0) {
            word_put(row, o, i);
            return 0;
        }
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
                 i == 0                      ? ""
                 : row->words[i + 1] == NULL ? " or "
                                             : ", ",
                 row->words[i]);
    }
    return ol_error_set(why, EINVAL, "\"%s\" is not %s", text, list);
}

static int
size_take(uint64_t *ret, const char *text, struct ol_error *why)
{
    if (daemon_size_parse(text, ret) == 0)
        return 0;
    return ol_error_set(why, EINVAL,
                        "\"%s\" is not a size such as 512K, 2M or 1G", text);
}

/* first: of this source of options, so that a list starts anew. */
static int
row_take(const struct row *row, struct options *o, const char *text, bool first,
         struct ol_error *why)
{
    switch (row->kind) {
    case TEXT:
        if (*text == '\0')
            return ol_error_set(why, EINVAL, "it is empty");
        *(const char **)member(row, o) = text;
        return 0;
    case NUMBER:
        return number_take(row, member(row, o), text, why);
    case SIZE:
        return size_take(member(row, o), text, why);
    case WORD:
        return word_take(row, o, text, why);
    case NETS:
        if (first)
            memset(member(row, o), 0, sizeof(struct ol_cidrs));
        return ol_cidrs_add(member(row, o), text, why);
    }
    return -EINVAL;
}

/* The file. */

/* Reads at most max bytes and makes a text of them; NULL without memory. */
static char *
text_read(FILE *f, size_t max, size_t *ret_len)
{
    char *text = malloc(max + 1);

    if (text == NULL)
        return NULL;
    *ret_len = fread(text, 1, max, f);
    text[*ret_len] = '\0';
    return text;
}

static int
file_read(const char *path, char **ret, struct ol_error *err)
{
    FILE *f = fopen(path, "re");
    char *text;
    size_t len;
    int rc = 0;

    if (f == NULL)
        return ol_error_set(err, errno, "cannot read %s: %s", path,
                            strerror(errno));
    text = text_read(f, OPTIONS_FILE_MAX + 1, &len);
    if (text == NULL || ferror(f))
        rc = ol_error_set(err, EIO, "cannot read %s", path);
    else if (len > OPTIONS_FILE_MAX)
        rc = ol_error_set(err, EFBIG, "%s has more than %u bytes", path,
                          OPTIONS_FILE_MAX);
    else if (strlen(text) != len)
        rc = ol_error_set(err, EINVAL, "%s is no text", path);
    fclose(f);
    if (rc != 0)
        free(text);
    else
        *ret = text;
    return rc;
}

/* "name value", blanks around both; "" and "# …" are nothing. */
static int
line_take(char *line, struct options *o, bool *given, struct ol_error *why)
{
    char *name = line + strspn(line, " \t"), *value, *end;
    const struct row *row;
    size_t len = strcspn(name, " \t\r");
    bool first;

    if (*name == '#' || name[strspn(name, "\r")] == '\0')
        return 0;
    row = row_find(name, len);
    if (row == NULL || row->at == AT(config))
        return ol_error_set(why, EINVAL, "unknown option \"%.*s\"", (int)len,
                            name);
    value = name + len + strspn(name + len, " \t");
    end = value + strlen(value);
    while (end > value && strchr(" \t\r", end[-1]) != NULL)
        *--end = '\0';
    if (strchr(value, '\r') != NULL)
        return ol_error_set(why, EINVAL, "a carriage return within the line");
    if (*value == '\0')
        return ol_error_set(why, EINVAL, "%s needs a value", row->name);
    first = !given[row - rows];
    if (!first && row->kind != NETS)
        return ol_error_set(why, EINVAL, "%s is given twice", row->name);
    given[row - rows] = true;
    return row_take(row, o, value, first, why);
}

static int
file_take(struct options *o, struct ol_error *err)
{
    bool given[ROWS] = {false};
    char *line, *next;
    unsigned number = 1;
    struct ol_error why;
    int rc = file_read(o->config, &o->text, err);

    if (rc != 0)
        return rc;
    for (line = o->text; line != NULL; line = next, number++) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        if (line_take(line, o, given, &why) != 0)
            return ol_error_set(err, EINVAL, "%s:%u: %s", o->config, number,
                                why.text);
    }
    return 0;
}

/* The command line. */

static const struct {
    const char *name;
    enum options_what what;
} asked[] = {
    {"--test", OPTIONS_TEST},       {"-t", OPTIONS_TEST},
    {"--help", OPTIONS_HELP},       {"-h", OPTIONS_HELP},
    {"--version", OPTIONS_VERSION}, {"-V", OPTIONS_VERSION},
};

static bool
asked_take(const char *arg, struct options *o)
{
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
        if (strcmp(arg, asked[i].name) == 0) {
            o->what = asked[i].what;
            return true;
        }
    return false;
}

/*
 * All of the command line, "--name value" or "--name=value"; or only one
 * option of it (the file's name, which is wanted first).
 */
static int
arguments_take(int argc, char **argv, const char *only, struct options *o,
               struct ol_error *err)
{
    bool given[ROWS] = {false};
    const struct row *row;
    struct ol_error why;
    const char *name, *value;
    size_t len;

    for (int i = 1; i < argc; i++) {
        if (asked_take(argv[i], o))
            continue;
        if (argv[i][0] != '-')
            return ol_error_set(err, EINVAL, "unexpected argument \"%s\"",
                                argv[i]);
        name = argv[i] + (strncmp(argv[i], "--", 2) == 0 ? 2 : 0);
        len = strcspn(name, "=");
        row = row_find(name, len);
        if (row == NULL)
            return ol_error_set(err, EINVAL, "unknown option %.*s",
                                (int)(len + (size_t)(name - argv[i])), argv[i]);
        value = name[len] == '=' ? name + len + 1 : argv[++i];
        if (value == NULL)
            return ol_error_set(err, EINVAL, "--%s needs a value", row->name);
        if (only != NULL && strcmp(only, row->name) != 0)
            continue;
        if (row_take(row, o, value, !given[row - rows], &why) != 0)
            return ol_error_set(err, EINVAL, "--%s: %s", row->name, why.text);
        given[row - rows] = true;
    }
    return 0;
}

/* What no option can say alone. */
static int
options_judge(const struct options *o, struct ol_error *err)
{
    if (o->listen_tls != NULL && (o->tls_cert == NULL || o->tls_key == NULL))
        return ol_error_set(err, EINVAL,
                            "--listen-tls needs --tls-cert and --tls-key");
    if (o->listen_tls == NULL && (o->tls_cert != NULL || o->tls_key != NULL))
        return ol_error_set(err, EINVAL,
                            "--tls-cert and --tls-key need --listen-tls");
    if (o->holders > o->holders_max)
        return ol_error_set(err, EINVAL,
                            "--holders %u is more than --holders-max %u",
                            o->holders, o->holders_max);
    if (o->admission == ADMISSION_LIST && o->nodes_file == NULL)
        return ol_error_set(err, EINVAL, "--admission list needs --nodes-file");
    if (o->admission == ADMISSION_INVITE && o->invitations == NULL)
        return ol_error_set(err, EINVAL,
                            "--admission invite needs --invitations");
    return 0;
}

int
options_parse(int argc, char **argv, struct options *ret, struct ol_error *err)
{
    struct options o = {.what = OPTIONS_RUN,
                        .listen = "127.0.0.1:8090",
                        .redis = "redis://127.0.0.1:6379",
                        .key = "coordinator.pem",
                        .workers = 1,
                        .holders = HOLDERS_DEFAULT,
                        .holders_max = PLACEMENT_HOLDERS_MAX,
                        .audit_rate = AUDIT_RATE_DEFAULT,
                        .tracker = true,
                        .announce_interval = ANNOUNCE_INTERVAL_DEFAULT,
                        .level = LOG_INFO_};
    int rc;

    ol_cidrs_add(&o.admins, "127.0.0.0/8", NULL);
    ol_cidrs_add(&o.admins, "::1", NULL);
    rc = arguments_take(argc, argv, "config", &o, err);
    if (rc == 0 && o.config != NULL && o.what <= OPTIONS_TEST)
        rc = file_take(&o, err);
    if (rc == 0)
        rc = arguments_take(argc, argv, NULL, &o, err);
    if (rc == 0)
        rc = options_judge(&o, err);
    if (rc != 0) {
        options_free(&o);
        return rc;
    }
    *ret = o;
    return 0;
}

/* Reading them again. */

static bool
row_same(const struct row *row, struct options *a, struct options *b)
{
    const char *s, *t;

    switch (row->kind) {
    case TEXT:
        s = *(const char **)member(row, a);
        t = *(const char **)member(row, b);
        return s == t || (s != NULL && t != NULL && strcmp(s, t) == 0);
    case NUMBER:
        return *(unsigned *)member(row, a) == *(unsigned *)member(row, b);
    default: /* `tracker` is the only other one that is fixed */
        return a->tracker == b->tracker;
    }
}

static void
row_copy(const struct row *row, struct options *to, struct options *from)
{
    switch (row->kind) {
    case TEXT:
        *(const char **)member(row, to) = *(const char **)member(row, from);
        break;
    case NUMBER:
        *(unsigned *)member(row, to) = *(unsigned *)member(row, from);
        break;
    default:
        to->tracker = from->tracker;
    }
}

void
options_update(struct options *o, struct options *next,
               void (*warn)(const char *name))
{
    for (size_t i = 0; i < ROWS; i++) {
        if (!rows[i].fixed)
            continue;
        if (!row_same(&rows[i], o, next))
            warn(rows[i].name);
        row_copy(&rows[i], next, o); /* its text is o->text */
    }
    free(o->text_again);
    next->text_again = next->text;
    next->text = o->text;
    *o = *next;
}

void
options_free(struct options *o)
{
    free(o->text);
    free(o->text_again);
    o->text = o->text_again = NULL;
}

void
options_help(FILE *out)
{
    char head[64];

    fputs("Usage: offload-coordinator [OPTION]...\n"
          "       offload-coordinator COMMAND [OPTION]...\n"
          "Tells origins which nodes hold their files, and nodes which files "
          "to hold.\n\n",
          out);
    for (size_t i = 0; i < ROWS; i++) {
        snprintf(head, sizeof(head), "--%s %s", rows[i].name, rows[i].value);
        fprintf(out, "  %-22s %s\n", head, rows[i].help);
    }
    fputs("  --test                 checks options and files, runs nothing\n"
          "  --help, --version\n",
          out);
}

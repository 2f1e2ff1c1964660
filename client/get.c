/*
 * `offload get`: options, and the story of a download: ask the origin; a
 * manifest is checked and its content fetched from the peers; the plain file
 * is taken as it comes; a version that is gone is started over.
 *
 * Owns the order of things and what is said of them.
 */
#include "client/get.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/download.h"
#include "client/report.h"
#include "offload/manifest.h"
#include "offload/origin.h"

static const char usage[] =
    "usage: offload get [OPTION]... URL\n"
    "\n"
    "Downloads URL: from the nodes of its site where there are any, each "
    "piece\n"
    "checked against what the site signed; from the site itself otherwise.\n"
    "\n"
    "  -o, --output FILE   write to FILE (default: the URL's last part), "
    "\"-\":\n"
    "                      standard output.  An existing FILE is replaced "
    "when\n"
    "                      the download is whole; until then it is FILE.part,\n"
    "                      which a later run goes on with\n"
    "      --direct        only from the site, without verification\n"
    "      --json          a report on standard output (standard error, if "
    "the\n"
    "                      file goes there)\n"
    "      --no-report     don't tell the site which nodes sent how much\n"
    "  -q, --quiet         no progress, no summary\n"
    "  -h, --help\n"
    "\n"
    "Exit status: 0 done; 2 usage; 6 unknown host; 7 no connection; 18 ended\n"
    "early; 22 HTTP error; 23 cannot write; 27 no memory; 28 timeout; 56\n"
    "protocol error; 60 TLS certificate; 91 manifest refused; 92 the file "
    "kept\n"
    "changing; 93 wrong checksum; 130 interrupted.\n";

struct get_options {
    const char *output;
    bool direct, json, no_report, quiet;
};

static void
print_report(const struct get_options *options, const struct report *report)
{
    bool to_stdout = strcmp(options->output, "-") != 0;

    if (options->json)
        report_write_json(report, to_stdout ? stdout : stderr);
    else if (!options->quiet && report->outcome == OUTCOME_OK)
        report_write_text(report, stderr);
    if (report->outcome == OUTCOME_OK)
        return;
    fprintf(stderr, "offload get: %s\n", report->error.text);
    if (report->outcome == OUTCOME_REFUSED)
        fputs("offload get: --direct takes the file from the site alone, "
              "unverified\n",
              stderr);
}

/* The last part of the URL's path, or NULL. */
static char *
name_from_url(const char *url)
{
    struct ol_origin origin;
    char path[OL_SUB_MAX + 1];
    const char *raw, *name;
    size_t len;

    if (ol_origin_parse(url, strlen(url), &origin, NULL) != 0)
        return NULL;
    raw = url + origin.consumed;
    if (ol_subject_normalise(raw, strcspn(raw, "?#"), path, sizeof(path),
                             &len) != 0)
        return NULL;
    name = strrchr(path, '/') + 1;
    if (name[0] == '\0')
        return NULL;
    return strdup(strcmp(name, "-") != 0 ? name : "./-"); /* no pipe */
}

static enum outcome
get_run(const struct get_options *options, const char *url)
{
    static struct report report; /* large */
    struct download_options wanted = {.url = url,
                                      .output = options->output,
                                      .direct = options->direct,
                                      .no_report = options->no_report,
                                      .quiet = options->quiet};

    snprintf(report.url, sizeof(report.url), "%s", url);
    report.outcome = download(&wanted, &report);
    print_report(options, &report);
    return report.outcome;
}

static int
parse(int argc, char **argv, struct get_options *ret)
{
    enum { DIRECT = 256, JSON, NO_REPORT };
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"direct", no_argument, NULL, DIRECT},
        {"json", no_argument, NULL, JSON},
        {"no-report", no_argument, NULL, NO_REPORT},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "o:qh", options, NULL)) != -1) {
        switch (c) {
        case 'o':
            ret->output = optarg;
            break;
        case DIRECT:
            ret->direct = true;
            break;
        case JSON:
            ret->json = true;
            break;
        case NO_REPORT:
            ret->no_report = true;
            break;
        case 'q':
            ret->quiet = true;
            break;
        default:
            return c;
        }
    }
    return optind == argc - 1 ? 0 : '?';
}

enum outcome
get_main(int argc, char **argv)
{
    struct get_options options = {0};
    char *name = NULL;
    enum outcome outcome;
    int c = parse(argc, argv, &options);

    if (c != 0) {
        fputs(usage, c == 'h' ? stdout : stderr);
        return c == 'h' ? OUTCOME_OK : OUTCOME_USAGE;
    }
    if (options.output == NULL) {
        options.output = name = name_from_url(argv[optind]);
        if (name == NULL) {
            fprintf(stderr,
                    "offload get: %s: no URL of http or https that ends in a "
                    "name; name the file with -o\n",
                    argv[optind]);
            return OUTCOME_USAGE;
        }
    }
    outcome = get_run(&options, argv[optind]);
    free(name);
    return outcome;
}

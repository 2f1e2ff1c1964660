/*
 * `offload`: what a visitor of sites and the owner of a key use.
 *
 * Owns the choice of the command.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/get.h"
#include "client/index.h"
#include "client/inspect.h"
#include "client/keygen.h"

static const char usage[] =
    "usage: offload COMMAND [OPTION]...\n"
    "\n"
    "  offload get [-o FILE] URL     download a file, from its site's nodes\n"
    "                                where it can, each piece verified\n"
    "  offload inspect URL           show a file's manifest, and whether it\n"
    "                                verifies\n"
    "  offload index DIR             hash a site's files before they are "
    "asked\n"
    "                                for\n"
    "  offload keygen [-o FILE]      make a key for a site or a node\n"
    "\n"
    "`offload COMMAND --help` tells more.  `offload --version` the version.\n";

static const struct {
    const char *name;
    enum outcome (*run)(int argc, char **argv);
} commands[] = {
    {"get", get_main},
    {"index", index_main},
    {"inspect", inspect_main},
    {"keygen", keygen_main},
};

/* What was to be read by somebody has left. */
static enum outcome
printed(enum outcome outcome)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return outcome;
    fprintf(stderr, "offload: writing to standard output: %s\n",
            strerror(errno));
    return outcome == OUTCOME_OK ? OUTCOME_WRITE : outcome;
}

int
main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(name, commands[i].name) == 0)
            return (int)printed(commands[i].run(argc - 1, argv + 1));
    if (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0 ||
        strcmp(name, "-h") == 0) {
        fputs(usage, stdout);
        return (int)printed(OUTCOME_OK);
    }
    if (strcmp(name, "--version") == 0) {
        puts("offload " OL_VERSION);
        return (int)printed(OUTCOME_OK);
    }
    if (name[0] != '\0')
        fprintf(stderr, "offload: no command \"%s\"\n", name);
    fputs(usage, stderr);
    return OUTCOME_USAGE;
}

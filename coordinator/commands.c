/*
 * The table of commands.
 *
 * Must not know what they do.
 */
#include "coordinator/commands.h"

#include <string.h>

#include "coordinator/contents/plan.h"
#include "coordinator/ledger/command.h"

#include "coordinator/nodes/standing_command.h"

static const struct command commands[] = {
    {"ban", standing_command, "ID REASON: exclude a node"},
    {"unban", standing_command, "ID: admit it again"},
    {"drain", standing_command, "ID: place nothing new on a node"},
    {"undrain", standing_command, "ID: place contents on it again"},
    {"ledger", ledger_command, "what nodes are owed for, as CSV or JSON lines"},
    {"plan", plan_command, "what would be placed where"},
    {NULL, NULL, NULL},
};

int
command_run(int argc, char **argv)
{
    for (const struct command *c = commands; c->name != NULL; c++)
        if (strcmp(c->name, argv[0]) == 0)
            return c->run(argc, argv);
    fprintf(stderr,
            "offload-coordinator: there is no command \"%s\"\n"
            "Try: offload-coordinator --help\n",
            argv[0]);
    return 2;
}

void
commands_help(FILE *out)
{
    for (const struct command *c = commands; c->name != NULL; c++)
        fprintf(out, "%s  %-22s %s\n", c == commands ? "\nCommands:\n" : "",
                c->name, c->help);
}

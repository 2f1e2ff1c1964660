/*
 * What offload-coordinator does besides serving: offload-coordinator COMMAND.
 */
#ifndef COORDINATOR_COMMANDS_H
#define COORDINATOR_COMMANDS_H

#include <stdio.h>

struct command {
    const char *name;
    /* argv[0] is the name; returns the exit status: 0, 1, or 2 for usage. */
    int (*run)(int argc, char **argv);
    const char *help; /* a few words */
};

int command_run(int argc, char **argv);
void commands_help(FILE *out);

#endif

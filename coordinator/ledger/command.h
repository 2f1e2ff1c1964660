/*
 * offload-coordinator ledger: the ledger of a period on standard output, read
 * from Redis itself.
 */
#ifndef COORDINATOR_LEDGER_COMMAND_H
#define COORDINATOR_LEDGER_COMMAND_H

/* argv[0] is "ledger".  Returns the exit status: 0, 1, or 2 for usage. */
int ledger_command(int argc, char **argv);

#endif

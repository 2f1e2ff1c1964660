/*
 * offload-coordinator plan: what would be placed where, for nodes and contents
 * that a file describes, by the code that serves.  Talks to nobody.
 */
#ifndef COORDINATOR_PLAN_H
#define COORDINATOR_PLAN_H

/* argv[0]: "plan".  Returns the exit status. */
int plan_command(int argc, char **argv);

#endif

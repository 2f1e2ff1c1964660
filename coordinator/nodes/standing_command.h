/*
 * offload-coordinator ban, unban, drain, undrain: what an operator decides
 * about one node.  All coordinators of that Redis know within a second.
 */
#ifndef COORDINATOR_STANDING_COMMAND_H
#define COORDINATOR_STANDING_COMMAND_H

int standing_command(int argc, char **argv);

#endif

/* `offload get`: downloads a file. */
#ifndef CLIENT_GET_H
#define CLIENT_GET_H

#include "client/outcome.h"

enum outcome get_main(int argc, char **argv);

#endif

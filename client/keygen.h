/* `offload keygen`: makes a key. */
#ifndef CLIENT_KEYGEN_H
#define CLIENT_KEYGEN_H

#include "client/outcome.h"

enum outcome keygen_main(int argc, char **argv);

#endif

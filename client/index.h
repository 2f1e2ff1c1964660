/* `offload index`: makes a key. */
#ifndef CLIENT_INDEX_H
#define CLIENT_INDEX_H

#include "client/outcome.h"

enum outcome index_main(int argc, char **argv);

#endif

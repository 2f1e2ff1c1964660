/* `offload inspect`: shows a manifest and whether it verifies. */
#ifndef CLIENT_INSPECT_H
#define CLIENT_INSPECT_H

#include "client/outcome.h"

enum outcome inspect_main(int argc, char **argv);

#endif

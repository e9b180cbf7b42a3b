#ifndef EXAMPLE_SERVICE_H
#define EXAMPLE_SERVICE_H

#include <phalanx/ipc_server.h>

/* The service that the example servers have in common: they differ in the loop alone. */

enum {
  kExampleService = 1,
  kExampleEcho = 0, /* A call: answered with what it brings. */
  kExampleTicks = 1 /* A call: answered, and followed by three events. */
};

/* Fills the options for a server of that one service; its hooks get `context`. */
void example_service(phx_ipc_server_options* options, void* context);

/* The server's name from the command line, or a usage message and exit(2). */
const char* example_name(int argc, char** argv);

/* Ends the program with a sentence unless the status is PHX_OK. */
void example_check(phx_status status, const char* what);

#endif

#ifndef EXAMPLE_ECHO_H
#define EXAMPLE_ECHO_H

#include <stdint.h>
#include <string.h>

/* What the processes of the echo server say to one another. */

enum { kEchoService = 1, kEchoText = 0 };

/* Before the bytes of every post; of an event, the peer is its id. */
struct echo_header {
  uint32_t peer; /* Which of the network process's connections. */
};

#endif

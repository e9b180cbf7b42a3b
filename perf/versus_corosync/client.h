#ifndef PHALANX_PERF_VERSUS_CLIENT_H
#define PHALANX_PERF_VERSUS_CLIENT_H

#include <stddef.h>
#include <stdint.h>

/** One client of a group, the same loop over either API. Board and result: client.c. */
struct client {
  uint32_t self;      /**< Node id: what comes from it is our own. */
  size_t nodes;       /**< Members to wait for before anything is sent. */
  uint64_t delivered; /**< Messages, from anybody. */
  uint64_t own;       /**< Of these, ours. */
  uint64_t bytes;     /**< In all messages delivered. */
  size_t members;     /**< In the last view. */
  uint64_t view_ns;   /**< When that came: CLOCK_MONOTONIC. */
  uint64_t touched;   /**< A sum over every payload's ends, so that it is read. */
};

/** For the backends' callbacks. */
void client_delivered(struct client* client, uint32_t node, const void* data, size_t bytes);
void client_view(struct client* client, size_t members);

/** What a backend gives: attach to `place` (an instance; unused by CPG), join the one group. Each
 * ends the process with a message when it cannot go on. */
void backend_open(struct client* client, const char* place);
/** 1: accepted. 0: no room now. `safe`: to be delivered once every member holds it. */
int backend_send(const void* data, size_t bytes, int safe);
/** Runs callbacks; without an event it waits at most so long, asleep. */
void backend_dispatch(int wait_ms);
void backend_close(void);

#endif

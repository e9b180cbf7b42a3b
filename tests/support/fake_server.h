#pragma once

/* A Phalanx of one node inside the test process: real sockets, real channels, one thread that
 * orders locally. Any thread may call these. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fake_server fake_server;

typedef struct fake_server_options { /* NOLINT(readability-identifier-naming): a C name. */
  uint32_t message_bytes_max;        /* Default 64 KiB. */
  uint32_t refuse_status;            /* Non-zero: every attach gets this AttachStatus. */
} fake_server_options;

/* Listens in a directory of its own. Never NULL: failing to start ends the test. */
fake_server* fake_server_start(const fake_server_options* options);
void fake_server_stop(fake_server* server);
/* To be given as phx_options.runtime_directory. */
const char* fake_server_directory(const fake_server* server);

/* Like the death of the data plane: every client is hung up on, and none can attach until revive().
 */
void fake_server_kill(fake_server* server);
void fake_server_revive(fake_server* server);

/* While paused nothing is taken from submit rings and nothing delivered; attaching goes on. */
void fake_server_pause(fake_server* server, int paused);
/* Evicts every client now. */
void fake_server_evict(fake_server* server);
/* Sends every client a transitional event and a view of nodes 1 and 2. */
void fake_server_change_view(fake_server* server);
/* Writes an event that makes no sense to every client. */
void fake_server_send_rubbish(fake_server* server);

size_t fake_server_clients(fake_server* server);
/* Group members of all groups together. */
size_t fake_server_memberships(fake_server* server);

#ifdef __cplusplus
}
#endif

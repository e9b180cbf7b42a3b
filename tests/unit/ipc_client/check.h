#pragma once

/* What the C API tests share: checks that end the test, and a client that writes down what it sees.
 */

#include <phalanx/phalanx.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/fake_server.h"

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                \
    }                                                                         \
  } while (0)

#define CHECK_STATUS(expected, call)                                     \
  do {                                                                   \
    const phx_status got_status = (call);                                \
    if (got_status != (expected)) {                                      \
      fprintf(stderr, "%s:%d: %s gives %s\n", __FILE__, __LINE__, #call, \
              phx_status_name(got_status));                              \
      exit(1);                                                           \
    }                                                                    \
  } while (0)

/* Everything that callbacks saw: counts, and the last of each. */
struct client {
  phx_handle handle;
  int messages, group_views, node_views, transitionals;
  int disconnected, attached, evicted, sendable, refused;
  char text[256];
  size_t bytes;
  phx_message message;
  phx_group refused_group;
  phx_status refused_status;
  phx_group_view view;
  phx_member view_member, view_left, view_joined;
  char view_name[PHX_GROUP_NAME_BYTES_MAX + 1];
  uint64_t sequence;
  size_t node_left_count;
  int quorums, quorate, quorum_changes, quorum_before_node_view;
};

void client_callbacks(struct client* client, phx_options* options);
/* Attaches with small rings, or ends the test. */
struct client* client_attach(const fake_server* server);
struct client* client_attach_with(const fake_server* server, phx_options options);
void client_detach(struct client* client);

/* Dispatches until *counter is at least `wanted`; ends the test after 10 s. */
void client_until(struct client* client, const int* counter, int wanted, const char* what);
#define UNTIL(client, field, wanted) client_until((client), &(client)->field, (wanted), #field)

/* Joins and waits for the view. */
phx_group client_join(struct client* client, const char* name);
phx_status client_send(struct client* client, phx_group group, const char* text);
int is_readable(int fd, int timeout_ms);

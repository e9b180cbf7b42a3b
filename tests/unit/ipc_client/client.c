#include <poll.h>

#include "tests/unit/ipc_client/check.h"

static void on_message(void* context, phx_handle handle, const phx_message* message) {
  struct client* c = context;
  CHECK(handle == c->handle);
  c->messages++;
  c->message = *message;
  c->bytes = message->bytes;
  const size_t kept = message->bytes < sizeof c->text - 1 ? message->bytes : sizeof c->text - 1;
  memcpy(c->text, message->data, kept);
  c->text[kept] = '\0';
}

static void on_group_view(void* context, phx_handle handle, const phx_group_view* view) {
  struct client* c = context;
  (void)handle;
  c->group_views++;
  c->view = *view;
  if (view->member_count > 0) c->view_member = view->members[0];
  if (view->left_count > 0) c->view_left = view->left[0];
  if (view->joined_count > 0) c->view_joined = view->joined[0];
  memcpy(c->view_name, view->name, view->name_bytes);
  c->view_name[view->name_bytes] = '\0';
}

static void on_node_view(void* context, phx_handle handle, const phx_node_view* view) {
  struct client* c = context;
  (void)handle;
  if (view->flags & PHX_FLAG_TRANSITIONAL) {
    c->transitionals++;
    return;
  }
  c->node_views++;
  if (c->quorums == c->node_views && (view->flags & PHX_FLAG_QUORATE ? 1 : 0) == c->quorate) {
    c->quorum_before_node_view++;
  }
  c->sequence = view->sequence;
  c->node_left_count = view->left_count;
}

static void on_quorum(void* context, phx_handle handle, const phx_quorum_view* view) {
  struct client* c = context;
  phx_quorum_state state;
  CHECK_STATUS(PHX_OK, phx_quorum(handle, &state));
  CHECK(state.sequence == view->sequence && state.quorate == view->quorate);
  c->quorums++;
  c->quorate = view->quorate;
  c->quorum_changes += view->changed;
}

static void on_connection(void* context, phx_handle handle, const phx_connection* connection) {
  struct client* c = context;
  (void)handle;
  switch (connection->event) {
    case PHX_EVENT_DISCONNECTED:
      c->disconnected++;
      break;
    case PHX_EVENT_ATTACHED:
      c->attached++;
      break;
    case PHX_EVENT_EVICTED:
      c->evicted++;
      break;
    case PHX_EVENT_SENDABLE:
      c->sendable++;
      break;
    case PHX_EVENT_REFUSED:
      c->refused++;
      c->refused_group = connection->group;
      c->refused_status = connection->status;
      break;
  }
}

void client_callbacks(struct client* client, phx_options* options) {
  options->struct_bytes = sizeof *options;
  options->callbacks = (phx_callbacks){.message = on_message,
                                       .group_view = on_group_view,
                                       .node_view = on_node_view,
                                       .connection = on_connection,
                                       .quorum = on_quorum};
  options->context = client;
}

struct client* client_attach_with(const fake_server* server, phx_options options) {
  struct client* client = calloc(1, sizeof *client);
  CHECK(client != NULL);
  client_callbacks(client, &options);
  options.runtime_directory = fake_server_directory(server);
  CHECK_STATUS(PHX_OK, phx_initialize(&options, &client->handle));
  return client;
}

struct client* client_attach(const fake_server* server) {
  const phx_options options = {.submit_ring_bytes = 8192, .delivery_ring_bytes = 65536};
  return client_attach_with(server, options);
}

void client_detach(struct client* client) {
  CHECK_STATUS(PHX_OK, phx_finalize(client->handle));
  free(client);
}

void client_until(struct client* client, const int* counter, int wanted, const char* what) {
  const time_t start = time(NULL);
  while (*counter < wanted) {
    const phx_status status = phx_dispatch(client->handle, PHX_DISPATCH_ONE, 100);
    CHECK(status == PHX_OK || status == PHX_TRY_AGAIN);
    if (time(NULL) - start > 10) {
      fprintf(stderr, "waited in vain for %s to become %d: it is %d\n", what, wanted, *counter);
      exit(1);
    }
  }
}

phx_group client_join(struct client* client, const char* name) {
  phx_group group = 0;
  const int before = client->group_views;
  CHECK_STATUS(PHX_OK, phx_join(client->handle, name, strlen(name), &group));
  UNTIL(client, group_views, before + 1);
  return group;
}

phx_status client_send(struct client* client, phx_group group, const char* text) {
  const struct iovec part = {.iov_base = (void*)(uintptr_t)text, .iov_len = strlen(text)};
  return phx_multicast(client->handle, group, &part, 1, PHX_AGREED);
}

int is_readable(int fd, int timeout_ms) {
  struct pollfd wait = {.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&wait, 1, timeout_ms) == 1;
}

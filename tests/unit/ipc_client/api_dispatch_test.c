#include "tests/unit/ipc_client/check.h"

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Waits until `count` events lie in the delivery ring, without dispatching any. */
static void wait_for_backlog(struct client* c, size_t bytes) {
  phx_flow flow = {0};
  for (int i = 0; i < 5000 && flow.delivery_queued_bytes < bytes; ++i) {
    CHECK_STATUS(PHX_OK, phx_flow_state(c->handle, &flow));
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  CHECK(flow.delivery_queued_bytes >= bytes);
}

static void one_does_one_and_all_does_what_waits(struct client* c, phx_group group) {
  for (int i = 0; i < 5; ++i) CHECK_STATUS(PHX_OK, client_send(c, group, "eight by"));
  wait_for_backlog(c, 5 * 32);
  CHECK_STATUS(PHX_OK, phx_dispatch(c->handle, PHX_DISPATCH_ONE, 0));
  CHECK(c->messages == 1);
  CHECK_STATUS(PHX_OK, phx_dispatch(c->handle, PHX_DISPATCH_ALL, 0));
  CHECK(c->messages == 5);
  CHECK_STATUS(PHX_TRY_AGAIN, phx_dispatch(c->handle, PHX_DISPATCH_ALL, 0));
}

static void a_wait_ends_in_time_or_at_once_with_an_event(struct client* c, phx_group group) {
  double start = now_ms();
  CHECK_STATUS(PHX_TRY_AGAIN, phx_dispatch(c->handle, PHX_DISPATCH_ONE, 30));
  CHECK(now_ms() - start >= 29);
  start = now_ms();
  CHECK_STATUS(PHX_OK, client_send(c, group, "wake"));
  CHECK_STATUS(PHX_OK, phx_dispatch(c->handle, PHX_DISPATCH_ONE, 60000));
  CHECK(now_ms() - start < 30000);
  const int before = c->messages;
  for (int i = 0; i < 3; ++i) CHECK_STATUS(PHX_OK, client_send(c, group, "wake"));
  CHECK_STATUS(PHX_OK, phx_dispatch(c->handle, PHX_DISPATCH_FOREVER, 200));
  CHECK(c->messages == before + 3);
}

static void views_of_nodes_are_events(fake_server* server, struct client* c) {
  fake_server_change_view(server);
  UNTIL(c, node_views, 2);
  CHECK(c->transitionals == 1 && c->sequence == 2 && c->node_left_count == 1);
}

static void dispatch_inside(void* context, phx_handle handle, const phx_node_view* view) {
  (void)view;
  CHECK_STATUS(PHX_INVALID, phx_dispatch(handle, PHX_DISPATCH_ALL, 0));
  phx_group group = 0;
  int fd = -1;
  CHECK_STATUS(PHX_OK, phx_join(handle, "inside", 6, &group));
  CHECK_STATUS(PHX_OK, phx_multicast(handle, group, NULL, 0, PHX_AGREED));
  CHECK_STATUS(PHX_OK, phx_fd(handle, &fd));
  ++*(int*)context;
}

static void callbacks_may_call_all_but_dispatch(fake_server* server) {
  int calls = 0;
  phx_options options = {.struct_bytes = sizeof options,
                         .runtime_directory = fake_server_directory(server),
                         .callbacks = {.node_view = dispatch_inside},
                         .context = &calls};
  phx_handle handle = 0;
  CHECK_STATUS(PHX_OK, phx_initialize(&options, &handle));
  CHECK_STATUS(PHX_OK, phx_dispatch(handle, PHX_DISPATCH_FOREVER, 50));
  CHECK(calls == 1);
  CHECK_STATUS(PHX_OK, phx_finalize(handle));
}

int main(void) {
  fake_server* server = fake_server_start(NULL);
  struct client* c = client_attach(server);
  const phx_group group = client_join(c, "words");
  CHECK_STATUS(PHX_INVALID, phx_dispatch(c->handle, (phx_dispatch_mode)9, 0));
  one_does_one_and_all_does_what_waits(c, group);
  a_wait_ends_in_time_or_at_once_with_an_event(c, group);
  views_of_nodes_are_events(server, c);
  client_detach(c);
  callbacks_may_call_all_but_dispatch(server);
  fake_server_stop(server);
  return 0;
}

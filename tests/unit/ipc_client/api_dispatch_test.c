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

/* Of the calling thread, in ns; -1 where the kernel does not tell. */
static long turn_ns(void) {
  FILE* file = fopen("/proc/thread-self/sched", "r");
  char line[128];
  long turn = -1;
  while (file && fgets(line, sizeof line, file)) {
    if (strncmp(line, "se.slice ", 9) == 0) turn = strtol(strchr(line, ':') + 1, NULL, 10);
  }
  if (file) fclose(file);
  return turn;
}

/* Past what an attachment begins with. */
static void wait_in_vain(struct client* c) {
  while (phx_dispatch(c->handle, PHX_DISPATCH_ALL, 5) == PHX_OK) {
  }
}

static void only_a_thread_that_yields_takes_short_turns(fake_server* server) {
  const long before = turn_ns();
  struct client* c = client_attach_with(server, (phx_options){.spin_us = -1});
  wait_in_vain(c);
  CHECK(turn_ns() == before);
  client_detach(c);
  c = client_attach(server);
  wait_in_vain(c);
  CHECK(before < 0 || turn_ns() == 100000);
  client_detach(c);
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
  only_a_thread_that_yields_takes_short_turns(server);
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

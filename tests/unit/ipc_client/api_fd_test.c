#include "tests/unit/ipc_client/check.h"

/* Dispatches what is there; leaves the descriptor armed. */
static void run_empty(struct client* c) {
  while (phx_dispatch(c->handle, PHX_DISPATCH_ALL, 0) == PHX_OK) continue;
}

/* Waits by the descriptor alone, as an application with a loop of its own does. */
static void poll_until(struct client* c, int fd, const int* counter, int wanted) {
  for (int i = 0; *counter < wanted; ++i) {
    CHECK(i < 100);
    CHECK(is_readable(fd, 10000));
    const phx_status status = phx_dispatch(c->handle, PHX_DISPATCH_ALL, 0);
    CHECK(status == PHX_OK || status == PHX_TRY_AGAIN);
  }
}

int main(void) {
  fake_server* server = fake_server_start(NULL);
  struct client* c = client_attach(server);
  const phx_group group = client_join(c, "words");
  int fd = -1, again = -1;
  CHECK_STATUS(PHX_INVALID, phx_fd(c->handle, NULL));
  CHECK_STATUS(PHX_OK, phx_fd(c->handle, &fd));
  CHECK_STATUS(PHX_OK, phx_fd(c->handle, &again));
  CHECK(fd >= 0 && fd == again);
  run_empty(c);

  /* Not readable while nothing waits, readable for one event, and not any more afterwards. */
  CHECK(!is_readable(fd, 20));
  for (int round = 1; round <= 20; ++round) {
    CHECK_STATUS(PHX_OK, client_send(c, group, "tick"));
    poll_until(c, fd, &c->messages, round);
    run_empty(c);
  }
  CHECK(!is_readable(fd, 20));

  /* A dispatch that leaves events leaves it readable. */
  for (int i = 0; i < 3; ++i) CHECK_STATUS(PHX_OK, client_send(c, group, "tock"));
  phx_flow flow = {0};
  while (flow.delivery_queued_bytes < 3 * 24)
    CHECK_STATUS(PHX_OK, phx_flow_state(c->handle, &flow));
  CHECK_STATUS(PHX_OK, phx_dispatch(c->handle, PHX_DISPATCH_ONE, 0));
  CHECK(is_readable(fd, 0));
  CHECK_STATUS(PHX_OK, phx_dispatch(c->handle, PHX_DISPATCH_ONE, 0));
  CHECK(is_readable(fd, 0));
  CHECK_STATUS(PHX_OK, phx_dispatch(c->handle, PHX_DISPATCH_ONE, 0));
  run_empty(c);
  CHECK(!is_readable(fd, 20));

  /* Readable when there is room again. */
  fake_server_pause(server, 1);
  while (client_send(c, group, "fill") == PHX_OK) continue;
  fake_server_pause(server, 0);
  poll_until(c, fd, &c->sendable, 1);
  run_empty(c);

  /* A hang-up makes it readable, and so does every step of coming back. */
  fake_server_kill(server);
  poll_until(c, fd, &c->disconnected, 1);
  CHECK(c->attached == 0);
  fake_server_revive(server);
  poll_until(c, fd, &c->attached, 1);
  const int views = c->group_views;
  poll_until(c, fd, &c->group_views, views == 1 ? 2 : views);
  run_empty(c);
  CHECK(c->disconnected == 1 && c->attached == 1);
  CHECK_STATUS(PHX_OK, phx_fd(c->handle, &again));
  CHECK(fd == again);

  client_detach(c);
  fake_server_stop(server);
  return 0;
}

#include "tests/unit/ipc_client/check.h"

/* Both sides sleep between any two messages: the client at once, the server whenever nothing waits.
 * A wake that is lost shows as a round of two seconds, when the server looks again by itself. */

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(void) {
  fake_server* server = fake_server_start(NULL);
  const phx_options options = {.spin_us = -1};
  struct client* c = client_attach_with(server, options);
  const phx_group group = client_join(c, "words");

  double slowest = 0;
  for (int round = 1; round <= 2000; ++round) {
    const double start = now_s();
    CHECK_STATUS(PHX_OK, client_send(c, group, "ping"));
    while (c->messages < round) {
      const phx_status status = phx_dispatch(c->handle, PHX_DISPATCH_ONE, 10000);
      CHECK(status == PHX_OK || status == PHX_TRY_AGAIN);
    }
    if (now_s() - start > slowest) slowest = now_s() - start;
  }
  printf("slowest of 2000 rounds: %.3f ms\n", slowest * 1e3);
  CHECK(slowest < 1.9);

  client_detach(c);
  fake_server_stop(server);
  return 0;
}

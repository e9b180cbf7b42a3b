#include "tests/unit/ipc_client/check.h"

int main(void) {
  fake_server* server = fake_server_start(NULL);
  struct client* c = client_attach(server);
  const phx_group group = client_join(c, "words");
  phx_flow flow;

  CHECK_STATUS(PHX_INVALID, phx_flow_state(c->handle, NULL));
  fake_server_pause(server, 1);
  CHECK_STATUS(PHX_OK, phx_flow_state(c->handle, &flow));
  CHECK(flow.submit_ring_bytes == 8192 && flow.delivery_ring_bytes == 65536 && flow.sendable);
  CHECK(flow.submit_queued_bytes == 0 && flow.delivery_queued_bytes == 0);

  CHECK_STATUS(PHX_OK, client_send(c, group, "eight by"));
  CHECK_STATUS(PHX_OK, phx_flow_state(c->handle, &flow));
  CHECK(flow.submit_queued_bytes == 24);
  while (client_send(c, group, "fill the ring to the brim") == PHX_OK) continue;
  CHECK_STATUS(PHX_OK, phx_flow_state(c->handle, &flow));
  CHECK(!flow.sendable);

  fake_server_pause(server, 0);
  UNTIL(c, sendable, 1);
  fake_server_kill(server);
  UNTIL(c, disconnected, 1);
  CHECK_STATUS(PHX_OK, phx_flow_state(c->handle, &flow));
  CHECK(!flow.sendable && flow.submit_queued_bytes == 0);

  client_detach(c);
  fake_server_stop(server);
  return 0;
}

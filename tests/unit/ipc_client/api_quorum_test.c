#include "tests/unit/ipc_client/check.h"

int main(void) {
  fake_server* server = fake_server_start(NULL);
  struct client* c = client_attach(server);
  phx_quorum_state state;

  CHECK_STATUS(PHX_BAD_HANDLE, phx_quorum(0, &state));
  CHECK_STATUS(PHX_INVALID, phx_quorum(c->handle, NULL));
  CHECK_STATUS(PHX_OK, phx_quorum(c->handle, &state));
  CHECK(state.sequence == 0 && !state.quorate); /* Nothing was dispatched yet. */

  UNTIL(c, node_views, 1); /* The first view is quorate. */
  CHECK(c->quorums == 1 && c->quorate && c->quorum_changes == 1);
  CHECK(c->quorum_before_node_view == 1);

  fake_server_change_view(server); /* The second is not. */
  UNTIL(c, node_views, 2);
  CHECK(c->quorums == 2 && !c->quorate && c->quorum_changes == 2);
  CHECK(c->quorum_before_node_view == 2);
  CHECK_STATUS(PHX_OK, phx_quorum(c->handle, &state));
  CHECK(state.sequence == 2 && state.representative == 1 && !state.quorate);

  fake_server_kill(server); /* No data plane, no view. */
  UNTIL(c, disconnected, 1);
  CHECK_STATUS(PHX_OK, phx_quorum(c->handle, &state));
  CHECK(state.sequence == 0 && !state.quorate);

  fake_server_revive(server);
  UNTIL(c, quorums, 3);
  CHECK(c->quorate);

  client_detach(c);
  fake_server_stop(server);
  return 0;
}

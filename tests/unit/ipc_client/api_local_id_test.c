#include <unistd.h>

#include "tests/unit/ipc_client/check.h"

int main(void) {
  fake_server* server = fake_server_start(NULL);
  struct client *a = client_attach(server), *b = client_attach(server);
  phx_member first, second, again;

  CHECK_STATUS(PHX_INVALID, phx_local_id(a->handle, NULL));
  CHECK_STATUS(PHX_OK, phx_local_id(a->handle, &first));
  CHECK_STATUS(PHX_OK, phx_local_id(b->handle, &second));
  CHECK(first.node == 1 && second.node == 1 && first.client != 0 && first.client != second.client);
  CHECK(first.pid == (uint32_t)getpid());

  fake_server_kill(server);
  UNTIL(a, disconnected, 1);
  CHECK_STATUS(PHX_TRY_AGAIN, phx_local_id(a->handle, &again));
  fake_server_revive(server);
  UNTIL(a, attached, 1);
  CHECK_STATUS(PHX_OK, phx_local_id(a->handle, &again));
  CHECK(again.client != first.client);

  client_detach(a);
  client_detach(b);
  fake_server_stop(server);
  return 0;
}

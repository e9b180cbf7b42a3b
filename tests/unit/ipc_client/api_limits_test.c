#include "tests/unit/ipc_client/check.h"

int main(void) {
  fake_server* server = fake_server_start(&(fake_server_options){.message_bytes_max = 1000});
  struct client* c = client_attach(server);
  phx_limit_values limits;

  CHECK_STATUS(PHX_INVALID, phx_limits(c->handle, NULL));
  CHECK_STATUS(PHX_OK, phx_limits(c->handle, &limits));
  CHECK(limits.message_bytes_max == 1000 && limits.group_name_bytes_max == 128 &&
        limits.groups_max == 1024);

  client_detach(c);
  fake_server_stop(server);
  return 0;
}

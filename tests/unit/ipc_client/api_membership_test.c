#include "tests/unit/ipc_client/check.h"

int main(void) {
  fake_server* server = fake_server_start(NULL);
  struct client *a = client_attach(server), *b = client_attach(server);
  phx_member members[4], id_a, id_b;
  size_t count = 99;
  CHECK_STATUS(PHX_OK, phx_local_id(a->handle, &id_a));
  CHECK_STATUS(PHX_OK, phx_local_id(b->handle, &id_b));

  CHECK_STATUS(PHX_NOT_JOINED, phx_membership(a->handle, 0, members, 4, &count));
  phx_group group = 0;
  CHECK_STATUS(PHX_OK, phx_open(a->handle, "words", 5, &group));
  CHECK_STATUS(PHX_NOT_JOINED, phx_membership(a->handle, group, members, 4, &count));
  CHECK_STATUS(PHX_OK, phx_join(a->handle, "words", 5, &group));
  CHECK_STATUS(PHX_OK, phx_membership(a->handle, group, members, 4, &count));
  CHECK(count == 0);
  UNTIL(a, group_views, 1);
  CHECK_STATUS(PHX_OK, phx_membership(a->handle, group, members, 4, &count));
  CHECK(count == 1 && members[0].client == id_a.client && members[0].pid == id_a.pid);

  const phx_group in_b = client_join(b, "words");
  UNTIL(a, group_views, 2);
  CHECK_STATUS(PHX_OK, phx_membership(a->handle, group, members, 4, &count));
  CHECK(count == 2 && members[1].client == id_b.client);
  members[1].client = 0;
  CHECK_STATUS(PHX_OK, phx_membership(a->handle, group, members, 1, &count));
  CHECK(count == 2 && members[1].client == 0);
  CHECK_STATUS(PHX_OK, phx_membership(a->handle, group, NULL, 0, &count));
  CHECK(count == 2);
  CHECK_STATUS(PHX_INVALID, phx_membership(a->handle, group, members, 4, NULL));
  CHECK_STATUS(PHX_INVALID, phx_membership(a->handle, group, NULL, 4, &count));

  CHECK_STATUS(PHX_OK, phx_leave(b->handle, in_b));
  UNTIL(a, group_views, 3);
  CHECK_STATUS(PHX_OK, phx_membership(a->handle, group, members, 4, &count));
  CHECK(count == 1);

  client_detach(a);
  client_detach(b);
  fake_server_stop(server);
  return 0;
}

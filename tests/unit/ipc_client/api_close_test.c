#include "tests/unit/ipc_client/check.h"

int main(void) {
  fake_server* server = fake_server_start(NULL);
  struct client* c = client_attach(server);
  phx_group group = 0;

  CHECK_STATUS(PHX_NOT_JOINED, phx_close(c->handle, 0));
  CHECK_STATUS(PHX_OK, phx_open(c->handle, "words", 5, &group));
  CHECK_STATUS(PHX_OK, phx_close(c->handle, group));
  CHECK_STATUS(PHX_NOT_JOINED, phx_close(c->handle, group));
  CHECK_STATUS(PHX_NOT_JOINED, client_send(c, group, "closed"));

  /* Closing does not end a membership, and leaving does not close. */
  group = client_join(c, "words");
  CHECK_STATUS(PHX_NOT_JOINED, phx_close(c->handle, group));
  CHECK_STATUS(PHX_OK, phx_open(c->handle, "words", 5, NULL));
  CHECK_STATUS(PHX_OK, phx_leave(c->handle, group));
  UNTIL(c, group_views, 2);
  struct client* reader = client_attach(server);
  (void)client_join(reader, "words");
  CHECK_STATUS(PHX_OK, client_send(c, group, "still open"));
  UNTIL(reader, messages, 1);
  CHECK(strcmp(reader->text, "still open") == 0);
  CHECK_STATUS(PHX_OK, phx_close(c->handle, group));
  CHECK_STATUS(PHX_NOT_JOINED, client_send(c, group, "closed"));

  client_detach(reader);
  client_detach(c);
  fake_server_stop(server);
  return 0;
}

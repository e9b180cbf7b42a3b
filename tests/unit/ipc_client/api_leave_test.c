#include "tests/unit/ipc_client/check.h"

int main(void) {
  fake_server* server = fake_server_start(NULL);
  struct client* c = client_attach(server);

  /* Leaving what was never joined has a code of its own. */
  CHECK_STATUS(PHX_NOT_JOINED, phx_leave(c->handle, 0));
  CHECK_STATUS(PHX_NOT_JOINED, phx_leave(c->handle, 77));

  /* What was sent before the leave still comes; the view without us is the last event. */
  const phx_group group = client_join(c, "words");
  CHECK_STATUS(PHX_OK, client_send(c, group, "last words"));
  CHECK_STATUS(PHX_OK, phx_leave(c->handle, group));
  CHECK_STATUS(PHX_NOT_JOINED, phx_leave(c->handle, group));
  CHECK_STATUS(PHX_NOT_JOINED, client_send(c, group, "too late"));
  UNTIL(c, group_views, 2);
  CHECK(c->messages == 1);
  CHECK(c->view.member_count == 0 && c->view.left_count == 1 &&
        c->view_left.reason == PHX_REASON_LEFT);
  CHECK(c->view.group == group);

  /* The group is over: its value is stale, and a new join gets another. */
  CHECK_STATUS(PHX_NOT_JOINED, phx_leave(c->handle, group));
  const phx_group next = client_join(c, "words");
  CHECK(next != group);
  CHECK_STATUS(PHX_NOT_JOINED, client_send(c, group, "to the old one"));
  CHECK_STATUS(PHX_OK, client_send(c, next, "to the new one"));
  UNTIL(c, messages, 2);
  CHECK(strcmp(c->text, "to the new one") == 0);

  client_detach(c);
  fake_server_stop(server);
  return 0;
}

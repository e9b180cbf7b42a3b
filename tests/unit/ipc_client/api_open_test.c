#include "tests/unit/ipc_client/check.h"

int main(void) {
  fake_server* server = fake_server_start(NULL);
  struct client* reader = client_attach(server);
  struct client* writer = client_attach(server);
  (void)client_join(reader, "words");

  /* An open group takes messages and delivers none. */
  phx_group group = 0, again = 0;
  CHECK_STATUS(PHX_OK, phx_open(writer->handle, "words", 5, &group));
  CHECK_STATUS(PHX_OK, client_send(writer, group, "from outside"));
  UNTIL(reader, messages, 1);
  CHECK(strcmp(reader->text, "from outside") == 0);
  CHECK_STATUS(PHX_NOT_JOINED, phx_leave(writer->handle, group));
  (void)phx_dispatch(writer->handle, PHX_DISPATCH_ALL, 20);
  CHECK(writer->messages == 0 && writer->group_views == 0);

  /* Opening again, or what is joined, gives the same group. */
  CHECK_STATUS(PHX_OK, phx_open(writer->handle, "words", 5, &again));
  CHECK(again == group);
  CHECK(client_join(writer, "words") == group);
  CHECK_STATUS(PHX_OK, phx_open(writer->handle, "words", 5, &again));
  CHECK(again == group);

  /* Names are checked as for a join; a refusal ends the group. */
  CHECK_STATUS(PHX_NAME_EMPTY, phx_open(writer->handle, "", 0, &again));
  CHECK_STATUS(PHX_NAME_TOO_LONG, phx_open(writer->handle, "x", 129, &again));
  CHECK_STATUS(PHX_OK, phx_open(writer->handle, "forbidden", 9, &again));
  UNTIL(writer, refused, 1);
  CHECK(writer->refused_group == again && writer->refused_status == PHX_ACCESS);
  CHECK_STATUS(PHX_NOT_JOINED, client_send(writer, again, "x"));

  client_detach(writer);
  client_detach(reader);
  fake_server_stop(server);
  return 0;
}

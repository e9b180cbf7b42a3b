#include "tests/unit/ipc_client/check.h"

/* A client that does not read is put out by a full ring; it then drains what was queued, is told,
 * and may join again at once. */
static void a_slow_reader_is_evicted_and_may_come_back(fake_server* server) {
  struct client *slow = client_attach(server), *fast = client_attach(server);
  const phx_group in_slow = client_join(slow, "words"), in_fast = client_join(fast, "words");
  phx_group opened = 0;
  CHECK_STATUS(PHX_OK, phx_open(slow->handle, "opened", 6, &opened));
  UNTIL(slow, group_views, 2);
  int sent = 0;
  while (fast->group_views < 2) {
    if (client_send(fast, in_fast, "a message that the slow one does not read") == PHX_OK) ++sent;
    (void)phx_dispatch(fast->handle, PHX_DISPATCH_ALL, 1);
    CHECK(sent < 100000);
  }
  CHECK(fast->view_left.reason == PHX_REASON_EVICTED);
  CHECK_STATUS(PHX_EVICTED, client_send(slow, in_slow, "x"));

  UNTIL(slow, evicted, 1);
  CHECK(slow->messages > 100 && slow->messages < sent);
  CHECK_STATUS(PHX_EVICTED, client_send(slow, in_slow, "x"));
  size_t count = 0;
  CHECK_STATUS(PHX_EVICTED, phx_membership(slow->handle, in_slow, NULL, 0, &count));
  phx_group again = 0;
  CHECK_STATUS(PHX_OK, phx_join(slow->handle, "words", 5, &again));
  UNTIL(slow, group_views, 3);
  CHECK(slow->evicted == 1 && slow->disconnected == 0 && slow->attached == 1);
  const int before = slow->messages;
  CHECK_STATUS(PHX_OK, client_send(slow, again, "back"));
  CHECK_STATUS(PHX_OK, phx_join(fast->handle, "opened", 6, NULL));
  for (int i = 0; strcmp(fast->view_name, "opened") != 0; ++i) { /* Or it is sent before that. */
    CHECK(i < 100);
    (void)phx_dispatch(fast->handle, PHX_DISPATCH_ALL, 100);
  }
  CHECK_STATUS(PHX_OK, client_send(slow, opened, "still open"));
  UNTIL(slow, messages, before + 1);
  CHECK(strcmp(slow->text, "back") == 0);
  for (int i = 0; strcmp(fast->text, "still open") != 0; ++i) {
    CHECK(i < 100);
    (void)phx_dispatch(fast->handle, PHX_DISPATCH_ONE, 100);
  }
  client_detach(slow);
  client_detach(fast);
}

static void leaving_after_an_eviction_says_so_once(fake_server* server) {
  struct client* c = client_attach(server);
  const phx_group group = client_join(c, "words");
  fake_server_evict(server);
  UNTIL(c, evicted, 1);
  CHECK_STATUS(PHX_EVICTED, phx_leave(c->handle, group));
  CHECK_STATUS(PHX_NOT_JOINED, phx_leave(c->handle, group));
  UNTIL(c, attached, 1);
  CHECK(fake_server_memberships(server) == 0);
  client_detach(c);
}

int main(void) {
  fake_server* server = fake_server_start(NULL);
  a_slow_reader_is_evicted_and_may_come_back(server);
  leaving_after_an_eviction_says_so_once(server);
  fake_server_stop(server);
  return 0;
}

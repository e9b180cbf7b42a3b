#include "tests/unit/ipc_client/check.h"

/* The data plane dies and comes back: told once, groups rejoined, nothing sent twice. */
static void comes_back_with_its_groups(fake_server* server) {
  struct client* c = client_attach(server);
  const phx_group words = client_join(c, "words"), left = client_join(c, "left");
  phx_group opened = 0, late = 0;
  CHECK_STATUS(PHX_OK, phx_open(c->handle, "opened", 6, &opened));

  fake_server_kill(server);
  UNTIL(c, disconnected, 1);
  size_t count = 9;
  CHECK_STATUS(PHX_OK, phx_membership(c->handle, words, NULL, 0, &count));
  CHECK(count == 0);
  CHECK_STATUS(PHX_TRY_AGAIN, client_send(c, words, "into the void"));
  CHECK_STATUS(PHX_TRY_AGAIN, phx_dispatch(c->handle, PHX_DISPATCH_ALL, 50));
  CHECK_STATUS(PHX_OK, phx_leave(c->handle, left));
  CHECK_STATUS(PHX_OK, phx_join(c->handle, "late", 4, &late));

  fake_server_revive(server);
  UNTIL(c, attached, 1);
  UNTIL(c, group_views, 4);
  CHECK(c->disconnected == 1 && c->view.member_count == 1);
  CHECK(fake_server_memberships(server) == 2);
  CHECK_STATUS(PHX_OK, client_send(c, words, "again"));
  CHECK_STATUS(PHX_OK, client_send(c, late, "later"));
  CHECK_STATUS(PHX_OK, client_send(c, opened, "outside"));
  UNTIL(c, messages, 2);
  CHECK(c->message.group == late && strcmp(c->text, "later") == 0);
  CHECK_STATUS(PHX_TRY_AGAIN, phx_dispatch(c->handle, PHX_DISPATCH_ALL, 20));
  CHECK(c->messages == 2);
  client_detach(c);
}

/* What the data plane delivered before it died is dispatched before the loss is told. */
static void drains_before_it_tells(fake_server* server) {
  struct client* c = client_attach(server);
  const phx_group group = client_join(c, "words");
  phx_flow flow = {0};
  for (int i = 0; i < 4; ++i) CHECK_STATUS(PHX_OK, client_send(c, group, "before"));
  while (flow.delivery_queued_bytes < 4 * 32)
    CHECK_STATUS(PHX_OK, phx_flow_state(c->handle, &flow));
  fake_server_kill(server);
  UNTIL(c, disconnected, 1);
  CHECK(c->messages == 4);
  fake_server_revive(server);
  client_detach(c);
}

static void stays_away_when_told_to(fake_server* server) {
  const phx_options options = {.no_reattach = 1};
  struct client* c = client_attach_with(server, options);
  const phx_group group = client_join(c, "words");
  fake_server_kill(server);
  UNTIL(c, disconnected, 1);
  fake_server_revive(server);
  phx_member id;
  CHECK_STATUS(PHX_DISCONNECTED, phx_dispatch(c->handle, PHX_DISPATCH_ALL, 1000));
  CHECK_STATUS(PHX_DISCONNECTED, client_send(c, group, "x"));
  CHECK_STATUS(PHX_DISCONNECTED, phx_join(c->handle, "more", 4, NULL));
  CHECK_STATUS(PHX_DISCONNECTED, phx_leave(c->handle, group));
  CHECK_STATUS(PHX_DISCONNECTED, phx_local_id(c->handle, &id));
  CHECK(c->disconnected == 1 && fake_server_clients(server) == 0);
  client_detach(c);
}

/* An event that makes no sense: the channel is given up, not the process. */
static void does_not_believe_rubbish(fake_server* server) {
  struct client* c = client_attach(server);
  (void)client_join(c, "words");
  fake_server_send_rubbish(server);
  UNTIL(c, disconnected, 1);
  UNTIL(c, attached, 1);
  client_detach(c);
}

int main(void) {
  fake_server* server = fake_server_start(NULL);
  comes_back_with_its_groups(server);
  drains_before_it_tells(server);
  stays_away_when_told_to(server);
  does_not_believe_rubbish(server);
  fake_server_stop(server);
  return 0;
}

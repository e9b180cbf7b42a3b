#include "tests/unit/ipc_client/check.h"

static void parts_arrive_as_one_message(struct client* c, phx_group group) {
  const struct iovec parts[] = {{(char[]){"one "}, 4}, {NULL, 0}, {(char[]){"message"}, 7}};
  phx_member id;
  CHECK_STATUS(PHX_OK, phx_local_id(c->handle, &id));
  CHECK_STATUS(PHX_OK, phx_multicast(c->handle, group, parts, 3, PHX_SAFE));
  UNTIL(c, messages, 1);
  CHECK(strcmp(c->text, "one message") == 0);
  CHECK(c->message.group == group && c->message.node == id.node && c->message.client == id.client);
  CHECK(c->message.flags == PHX_FLAG_SAFE);
  CHECK_STATUS(PHX_OK, phx_multicast(c->handle, group, NULL, 0, PHX_AGREED));
  UNTIL(c, messages, 2);
  CHECK(c->bytes == 0 && c->message.flags == 0);
}

static void bad_arguments_have_codes_of_their_own(struct client* c, phx_group group) {
  static char big[64 * 1024 + 1];
  const struct iovec one = {big, 1}, hole = {NULL, 1}, huge = {big, SIZE_MAX};
  const struct iovec limit = {big, sizeof big - 1}, over[] = {{big, sizeof big - 1}, {big, 1}};
  CHECK_STATUS(PHX_NOT_JOINED, phx_multicast(c->handle, 0, &one, 1, PHX_AGREED));
  CHECK_STATUS(PHX_NOT_JOINED, phx_multicast(c->handle, group + 1, &one, 1, PHX_AGREED));
  CHECK_STATUS(PHX_INVALID, phx_multicast(c->handle, group, NULL, 1, PHX_AGREED));
  CHECK_STATUS(PHX_INVALID, phx_multicast(c->handle, group, &hole, 1, PHX_AGREED));
  CHECK_STATUS(PHX_INVALID, phx_multicast(c->handle, group, &one, PHX_PARTS_MAX + 1, PHX_AGREED));
  CHECK_STATUS(PHX_INVALID, phx_multicast(c->handle, group, &one, 1, (phx_guarantee)7));
  CHECK_STATUS(PHX_TOO_BIG, phx_multicast(c->handle, group, over, 2, PHX_AGREED));
  CHECK_STATUS(PHX_TOO_BIG, phx_multicast(c->handle, group, &huge, 1, PHX_AGREED));
  const int before = c->messages;
  CHECK_STATUS(PHX_OK,
               phx_multicast(c->handle, group, &limit, 1, PHX_AGREED)); /* Takes the bulk ring. */
  UNTIL(c, messages, before + 1);
  CHECK(c->bytes == sizeof big - 1);
}

static void a_full_ring_says_try_again_and_then_sendable(fake_server* server, struct client* c,
                                                         phx_group group) {
  fake_server_pause(server, 1);
  const int before = c->messages;
  int sent = 0;
  while (client_send(c, group, "fill the ring with this") == PHX_OK) CHECK(++sent < 10000);
  CHECK_STATUS(PHX_TRY_AGAIN, client_send(c, group, "fill the ring with this"));
  CHECK(sent > 100);
  CHECK_STATUS(PHX_TRY_AGAIN, phx_dispatch(c->handle, PHX_DISPATCH_ALL, 0));
  CHECK(c->sendable == 0);

  fake_server_pause(server, 0);
  UNTIL(c, sendable, 1);
  CHECK_STATUS(PHX_OK, client_send(c, group, "after"));
  UNTIL(c, messages, before + sent + 1);
  CHECK(strcmp(c->text, "after") == 0);
  CHECK(c->sendable == 1);
}

static void all_members_see_one_order(fake_server* server) {
  struct client *a = client_attach(server), *b = client_attach(server);
  const phx_group in_a = client_join(a, "order"), in_b = client_join(b, "order");
  unsigned hash[2] = {0, 0};
  for (int i = 0; i < 50; ++i) {
    char text[32];
    snprintf(text, sizeof text, "a%d", i);
    CHECK_STATUS(PHX_OK, client_send(a, in_a, text));
    snprintf(text, sizeof text, "b%d", i);
    CHECK_STATUS(PHX_OK, client_send(b, in_b, text));
  }
  struct client* both[] = {a, b};
  for (int who = 0; who < 2; ++who) {
    for (int i = 1; i <= 100; ++i) {
      UNTIL(both[who], messages, i);
      for (const char* t = both[who]->text; *t != '\0'; ++t)
        hash[who] = hash[who] * 31 + (unsigned char)*t;
    }
  }
  CHECK(hash[0] == hash[1]);
  client_detach(a);
  client_detach(b);
}

int main(void) {
  fake_server* server = fake_server_start(NULL);
  struct client* c = client_attach(server);
  const phx_group group = client_join(c, "words");
  parts_arrive_as_one_message(c, group);
  bad_arguments_have_codes_of_their_own(c, group);
  a_full_ring_says_try_again_and_then_sendable(server, c, group);
  client_detach(c);
  all_members_see_one_order(server);
  fake_server_stop(server);
  return 0;
}

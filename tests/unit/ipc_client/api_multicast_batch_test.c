#include "tests/unit/ipc_client/check.h"

static struct iovec message(const char* text) {
  return (struct iovec){.iov_base = (void*)(uintptr_t)text, .iov_len = strlen(text)};
}

static void each_is_a_message_of_its_own_in_order(struct client* c, phx_group group) {
  const struct iovec three[] = {message("one"), {NULL, 0}, message("three")};
  size_t accepted = 9;
  CHECK_STATUS(PHX_OK, phx_multicast_batch(c->handle, group, three, 3, PHX_SAFE, &accepted));
  CHECK(accepted == 3);
  UNTIL(c, messages, 1);
  CHECK(strcmp(c->text, "one") == 0 && c->message.flags == PHX_FLAG_SAFE);
  UNTIL(c, messages, 2);
  CHECK(c->bytes == 0);
  UNTIL(c, messages, 3);
  CHECK(strcmp(c->text, "three") == 0);
  CHECK_STATUS(PHX_OK, phx_multicast_batch(c->handle, group, NULL, 0, PHX_AGREED, &accepted));
  CHECK(accepted == 0);
}

static void nothing_is_accepted_of_what_is_wrong(struct client* c, phx_group group) {
  static char big[64 * 1024 + 1];
  const struct iovec good = message("good"), over[] = {good, {big, sizeof big}};
  const struct iovec hole[] = {good, {NULL, 1}};
  const int before = c->messages;
  size_t n = 9;
  CHECK_STATUS(PHX_TOO_BIG, phx_multicast_batch(c->handle, group, over, 2, PHX_AGREED, &n));
  CHECK(n == 0);
  CHECK_STATUS(PHX_INVALID, phx_multicast_batch(c->handle, group, hole, 2, PHX_AGREED, &n));
  CHECK_STATUS(PHX_INVALID, phx_multicast_batch(c->handle, group, NULL, 1, PHX_AGREED, &n));
  CHECK_STATUS(PHX_INVALID, phx_multicast_batch(c->handle, group, &good, 1, PHX_AGREED, NULL));
  CHECK_STATUS(PHX_INVALID,
               phx_multicast_batch(c->handle, group, &good, PHX_PARTS_MAX + 1, PHX_AGREED, &n));
  CHECK_STATUS(PHX_INVALID, phx_multicast_batch(c->handle, group, &good, 1, (phx_guarantee)7, &n));
  CHECK_STATUS(PHX_NOT_JOINED, phx_multicast_batch(c->handle, group + 1, &good, 1, PHX_AGREED, &n));
  CHECK_STATUS(PHX_BAD_HANDLE, phx_multicast_batch(0, group, &good, 1, PHX_AGREED, &n));
  CHECK_STATUS(PHX_OK, client_send(c, group, "after"));
  UNTIL(c, messages, before + 1);
  CHECK(strcmp(c->text, "after") == 0);
}

static void a_full_ring_takes_the_first_of_them(fake_server* server, struct client* c,
                                                phx_group group) {
  struct iovec many[PHX_PARTS_MAX];
  char texts[PHX_PARTS_MAX][32];
  for (size_t i = 0; i < PHX_PARTS_MAX; ++i) {
    snprintf(texts[i], sizeof texts[i], "message number %zu", i);
    many[i] = message(texts[i]);
  }
  fake_server_pause(server, 1);
  const int before = c->messages;
  size_t sent = 0, accepted = 0;
  phx_status status = PHX_OK;
  while (status == PHX_OK) {
    status = phx_multicast_batch(c->handle, group, many, PHX_PARTS_MAX, PHX_AGREED, &accepted);
    sent += accepted;
    CHECK(sent < 100000);
  }
  CHECK_STATUS(PHX_TRY_AGAIN, status);
  CHECK(accepted < PHX_PARTS_MAX && sent > 100);
  CHECK(c->sendable == 0);

  fake_server_pause(server, 0);
  UNTIL(c, sendable, 1);
  size_t rest = PHX_PARTS_MAX - accepted;
  while (rest > 0) { /* The rest of the last batch, until all of it is there. */
    status = phx_multicast_batch(c->handle, group, many + PHX_PARTS_MAX - rest, rest, PHX_AGREED,
                                 &accepted);
    CHECK(status == PHX_OK || status == PHX_TRY_AGAIN);
    sent += accepted;
    rest -= accepted;
    CHECK(phx_dispatch(c->handle, PHX_DISPATCH_ALL, 1) >= 0);
  }
  UNTIL(c, messages, before + (int)sent);
  CHECK(sent % PHX_PARTS_MAX == 0);
  CHECK(strcmp(c->text, texts[PHX_PARTS_MAX - 1]) == 0);
}

int main(void) {
  fake_server* server = fake_server_start(NULL);
  struct client* c = client_attach(server);
  const phx_group group = client_join(c, "words");
  each_is_a_message_of_its_own_in_order(c, group);
  nothing_is_accepted_of_what_is_wrong(c, group);
  a_full_ring_takes_the_first_of_them(server, c, group);
  client_detach(c);
  fake_server_stop(server);
  return 0;
}

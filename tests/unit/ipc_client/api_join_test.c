#include "tests/unit/ipc_client/check.h"

static void bad_names_have_codes_of_their_own(struct client* c) {
  char name[PHX_GROUP_NAME_BYTES_MAX + 1];
  memset(name, 'n', sizeof name);
  phx_group group = 0;
  CHECK_STATUS(PHX_NAME_EMPTY, phx_join(c->handle, "", 0, &group));
  CHECK_STATUS(PHX_NAME_TOO_LONG, phx_join(c->handle, name, sizeof name, &group));
  CHECK_STATUS(PHX_INVALID, phx_join(c->handle, NULL, 3, &group));
  CHECK(group == 0);
  CHECK_STATUS(PHX_OK, phx_join(c->handle, name, sizeof name - 1, &group));
  UNTIL(c, group_views, 1);
  CHECK(strlen(c->view_name) == PHX_GROUP_NAME_BYTES_MAX);
}

static void joining_twice_exists_and_the_handle_stays_usable(struct client* c) {
  const phx_group group = client_join(c, "words");
  phx_group again = 0;
  CHECK_STATUS(PHX_EXISTS, phx_join(c->handle, "words", 5, &again));
  CHECK(again == group);
  CHECK_STATUS(PHX_OK, client_send(c, group, "still here"));
  UNTIL(c, messages, 1);
}

static void every_member_sees_who_joined(const fake_server* server, struct client* first) {
  struct client* second = client_attach(server);
  phx_member id;
  CHECK_STATUS(PHX_OK, phx_local_id(second->handle, &id));
  const int before = first->group_views;
  const phx_group group = client_join(second, "words");
  UNTIL(first, group_views, before + 1);
  CHECK(first->view.member_count == 2 && first->view.joined_count == 1 &&
        first->view.left_count == 0);
  CHECK(first->view_joined.client == id.client && first->view_joined.reason == PHX_REASON_JOINED);
  CHECK(strcmp(first->view_name, "words") == 0);
  CHECK(second->view.group == group && second->view.member_count == 2);
  client_detach(second);
}

static void a_refusal_is_told_and_ends_the_group(struct client* c) {
  phx_group group = 0;
  CHECK_STATUS(PHX_OK, phx_join(c->handle, "forbidden", 9, &group));
  UNTIL(c, refused, 1);
  CHECK(c->refused_group == group && c->refused_status == PHX_ACCESS);
  CHECK_STATUS(PHX_NOT_JOINED, client_send(c, group, "x"));
}

static void many_groups_and_then_no_more(const fake_server* server) {
  const phx_options options = {.submit_ring_bytes = 1 << 18, .delivery_ring_bytes = 1 << 20};
  struct client* c = client_attach_with(server, options);
  phx_limit_values limits;
  CHECK_STATUS(PHX_OK, phx_limits(c->handle, &limits));
  char name[32];
  phx_group group = 0, hundredth = 0;
  for (size_t i = 0; i < limits.groups_max; ++i) {
    const int length = snprintf(name, sizeof name, "group-%zu", i);
    CHECK_STATUS(PHX_OK, phx_join(c->handle, name, (size_t)length, &group));
    if (i == 100) hundredth = group;
  }
  CHECK_STATUS(PHX_LIMIT, phx_join(c->handle, "one more", 8, &group));
  UNTIL(c, group_views, (int)limits.groups_max);
  CHECK_STATUS(PHX_OK, client_send(c, hundredth, "to the hundredth"));
  UNTIL(c, messages, 1);
  CHECK(c->message.group == hundredth);
  client_detach(c);
}

int main(void) {
  fake_server* server = fake_server_start(NULL);
  struct client* c = client_attach(server);
  bad_names_have_codes_of_their_own(c);
  joining_twice_exists_and_the_handle_stays_usable(c);
  every_member_sees_who_joined(server, c);
  a_refusal_is_told_and_ends_the_group(c);
  client_detach(c);
  many_groups_and_then_no_more(server);
  fake_server_stop(server);
  return 0;
}

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/ipc_client/check.h"

enum { kBig = 64 * 1024 };

static void what_was_built_in_place_arrives_with_the_commit(struct client* c, phx_group group) {
  phx_room rooms[3] = {{.bytes = 100}, {.bytes = 0}, {.bytes = 5}};
  size_t reserved = 0;
  CHECK_STATUS(PHX_OK, phx_reserve(c->handle, group, rooms, 3, PHX_SAFE, &reserved));
  CHECK(reserved == 3);
  for (int i = 0; i < 3; ++i) CHECK((uintptr_t)rooms[i].data % 8 == 0);
  memcpy(rooms[0].data, "first", 5);
  memcpy(rooms[2].data, "third", 5);
  CHECK_STATUS(PHX_TRY_AGAIN, phx_dispatch(c->handle, PHX_DISPATCH_ALL, 30));
  rooms[0].bytes = 5;
  CHECK_STATUS(PHX_OK, phx_commit(c->handle, rooms, 3));
  UNTIL(c, messages, 1);
  CHECK(strcmp(c->text, "first") == 0 && c->bytes == 5 && c->message.flags == PHX_FLAG_SAFE);
  UNTIL(c, messages, 2);
  CHECK(c->bytes == 0);
  UNTIL(c, messages, 3);
  CHECK(strcmp(c->text, "third") == 0);
}

/* By a byte, within a word, by words, to nothing; in the ring and through the bulk ring. */
static void lengths_are_those_of_the_commit(struct client* c, phx_group group) {
  const size_t before[] = {8, 8, 64, 64, 1, kBig, kBig, kBig};
  const size_t after[] = {7, 0, 57, 13, 0, kBig, kBig - 1, 3};
  static char text[kBig];
  for (size_t i = 0; i < sizeof text; ++i) text[i] = (char)('a' + i % 26);
  for (size_t i = 0; i < sizeof before / sizeof before[0]; ++i) {
    phx_room room = {.bytes = before[i]};
    size_t reserved = 0;
    const int seen = c->messages;
    CHECK_STATUS(PHX_OK, phx_reserve(c->handle, group, &room, 1, PHX_AGREED, &reserved));
    if (before[i] > 0) memcpy(room.data, text, before[i]);
    room.bytes = after[i];
    CHECK_STATUS(PHX_OK, phx_commit(c->handle, &room, 1));
    UNTIL(c, messages, seen + 1);
    CHECK(c->bytes == after[i] && memcmp(c->text, text, after[i] < 200 ? after[i] : 200) == 0);
  }
}

static void* use_of_another_thread(void* context) {
  struct client* c = context;
  phx_room room = {.bytes = 8};
  size_t reserved = 0;
  CHECK_STATUS(PHX_WRONG_THREAD, phx_commit(c->handle, NULL, 0));
  CHECK_STATUS(PHX_WRONG_THREAD,
               phx_reserve(c->handle, c->message.group, &room, 1, PHX_AGREED, &reserved));
  return NULL;
}

static void in_another_thread(void* (*what)(void*), void* context) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, what, context) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
}

static void misuse_is_told(struct client* c, phx_group group) {
  const phx_handle h = c->handle;
  phx_room room = {.bytes = 8}, big = {.bytes = kBig + 1}, many[PHX_RESERVED_MAX + 1] = {{0}};
  const struct iovec part = {.iov_base = &room, .iov_len = 8};
  size_t n = 0;
  phx_group other = 0;
  CHECK_STATUS(PHX_NOT_PINNED, phx_commit(h, NULL, 0));
  CHECK_STATUS(PHX_NOT_PINNED, phx_commit(h, &room, 1));
  CHECK_STATUS(PHX_INVALID, phx_reserve(h, group, NULL, 1, PHX_AGREED, &n));
  CHECK_STATUS(PHX_INVALID, phx_reserve(h, group, &room, 1, PHX_AGREED, NULL));
  CHECK_STATUS(PHX_INVALID, phx_reserve(h, group, &room, 0, PHX_AGREED, &n));
  CHECK_STATUS(PHX_INVALID, phx_reserve(h, group, many, PHX_RESERVED_MAX + 1, PHX_AGREED, &n));
  CHECK_STATUS(PHX_INVALID, phx_reserve(h, group, &room, 1, (phx_guarantee)7, &n));
  CHECK_STATUS(PHX_TOO_BIG, phx_reserve(h, group, &big, 1, PHX_AGREED, &n));
  CHECK_STATUS(PHX_NOT_JOINED, phx_reserve(h, group + 1, &room, 1, PHX_AGREED, &n));
  CHECK_STATUS(PHX_BAD_HANDLE, phx_reserve(0, group, &room, 1, PHX_AGREED, &n));
  CHECK_STATUS(PHX_BAD_HANDLE, phx_commit(h + (1ULL << 40), &room, 1));
  CHECK(n == 0);

  CHECK_STATUS(PHX_OK, phx_reserve(h, group, &room, 1, PHX_AGREED, &n));
  memcpy(room.data, "reserved", 8);
  CHECK_STATUS(PHX_PINNED, phx_reserve(h, group, &room, 1, PHX_AGREED, &n));
  CHECK_STATUS(PHX_PINNED, phx_multicast(h, group, &part, 1, PHX_AGREED));
  CHECK_STATUS(PHX_PINNED, phx_multicast_batch(h, group, &part, 1, PHX_AGREED, &n));
  CHECK_STATUS(PHX_PINNED, phx_join(h, "other", 5, &other));
  CHECK_STATUS(PHX_PINNED, phx_open(h, "other", 5, &other));
  CHECK_STATUS(PHX_PINNED, phx_leave(h, group));
  CHECK_STATUS(PHX_PINNED, phx_close(h, group));
  in_another_thread(use_of_another_thread, c);
  CHECK_STATUS(PHX_INVALID, phx_commit(h, &room, 2));
  room.bytes = 9;
  CHECK_STATUS(PHX_TOO_BIG, phx_commit(h, &room, 1));
  const int seen = c->messages;
  CHECK_STATUS(PHX_OK, phx_commit(h, NULL, 0));
  CHECK_STATUS(PHX_NOT_PINNED, phx_commit(h, NULL, 0));
  UNTIL(c, messages, seen + 1);
  CHECK(strcmp(c->text, "reserved") == 0);
}

static void* send_and_leave(void* context) {
  struct client* c = context;
  CHECK_STATUS(PHX_OK, client_send(c, c->message.group, "behind"));
  CHECK_STATUS(PHX_OK, phx_leave(c->handle, c->message.group));
  return NULL;
}

/* What another thread does meanwhile is ordered behind, the leave too. */
static void others_wait_for_the_commit(struct client* c) {
  const phx_group group = client_join(c, "to be left");
  const int seen = c->messages, views = c->group_views;
  CHECK_STATUS(PHX_OK, client_send(c, group, "before"));
  UNTIL(c, messages, seen + 1);
  phx_room room = {.bytes = 6};
  size_t n = 0;
  CHECK_STATUS(PHX_OK, phx_reserve(c->handle, group, &room, 1, PHX_AGREED, &n));
  in_another_thread(send_and_leave, c);
  CHECK_STATUS(PHX_TRY_AGAIN, phx_dispatch(c->handle, PHX_DISPATCH_ALL, 30));
  memcpy(room.data, "inside", 6);
  CHECK_STATUS(PHX_OK, phx_commit(c->handle, &room, 1));
  UNTIL(c, messages, seen + 2);
  CHECK(strcmp(c->text, "inside") == 0);
  UNTIL(c, messages, seen + 3);
  CHECK(strcmp(c->text, "behind") == 0);
  UNTIL(c, group_views, views + 1);
  CHECK_STATUS(PHX_NOT_JOINED, phx_reserve(c->handle, group, &room, 1, PHX_AGREED, &n));
}

static void takes_as_many_as_fit(fake_server* server, struct client* c, phx_group group) {
  fake_server_pause(server, 1);
  phx_room rooms[40];
  size_t n = 0, sent = 0;
  const int seen = c->messages;
  for (;;) {
    for (size_t i = 0; i < 40; ++i) rooms[i].bytes = 1000;
    const phx_status status = phx_reserve(c->handle, group, rooms, 40, PHX_AGREED, &n);
    if (status != PHX_OK) {
      CHECK_STATUS(PHX_TRY_AGAIN, status);
      break;
    }
    CHECK(n >= 1 && n < 40);
    for (size_t i = 0; i < n; ++i) memset(rooms[i].data, 'x', 1000);
    CHECK_STATUS(PHX_OK, phx_commit(c->handle, rooms, n));
    sent += n;
    CHECK(sent < 100);
  }
  fake_server_pause(server, 0);
  UNTIL(c, sendable, 1);
  UNTIL(c, messages, seen + (int)sent);
}

/* The room stays where it is, whatever becomes of the channel; it is never sent. */
static void the_channel_may_go_meanwhile(fake_server* server) {
  for (int evicted = 0; evicted < 2; ++evicted) {
    struct client* c = client_attach(server);
    const phx_group group = client_join(c, "words");
    phx_room room = {.bytes = 2000};
    size_t n = 0;
    CHECK_STATUS(PHX_OK, phx_reserve(c->handle, group, &room, 1, PHX_AGREED, &n));
    if (evicted) {
      fake_server_evict(server);
      UNTIL(c, evicted, 1);
    } else {
      fake_server_kill(server);
      UNTIL(c, disconnected, 1);
      fake_server_revive(server);
    }
    UNTIL(c, attached, 1);
    phx_group again = group;
    const phx_status pinned = phx_join(c->handle, "words", 5, &again);
    CHECK_STATUS(PHX_PINNED, pinned);
    memset(room.data, 'x', 2000);
    CHECK_STATUS(evicted ? PHX_EVICTED : PHX_DISCONNECTED, phx_commit(c->handle, &room, 1));
    CHECK_STATUS(PHX_NOT_PINNED, phx_commit(c->handle, &room, 1));
    if (evicted) CHECK_STATUS(PHX_OK, phx_join(c->handle, "words", 5, &again));
    UNTIL(c, group_views, 2);
    CHECK_STATUS(PHX_OK, phx_reserve(c->handle, again, &room, 1, PHX_AGREED, &n));
    memset(room.data, 'y', 2000);
    CHECK_STATUS(PHX_OK, phx_commit(c->handle, NULL, 0));
    UNTIL(c, messages, 1);
    CHECK(c->bytes == 2000 && c->text[0] == 'y');
    client_detach(c);
  }
}

static void no_reattach_says_disconnected(fake_server* server) {
  struct client* c = client_attach_with(server, (phx_options){.no_reattach = 1});
  const phx_group group = client_join(c, "words");
  phx_room room = {.bytes = 8};
  size_t n = 0;
  CHECK_STATUS(PHX_OK, phx_reserve(c->handle, group, &room, 1, PHX_AGREED, &n));
  fake_server_kill(server);
  UNTIL(c, disconnected, 1);
  CHECK_STATUS(PHX_DISCONNECTED, phx_commit(c->handle, &room, 1));
  CHECK_STATUS(PHX_DISCONNECTED, phx_reserve(c->handle, group, &room, 1, PHX_AGREED, &n));
  fake_server_revive(server);
  client_detach(c);
}

/* The place of the handle is nobody else's while the room is written to. */
static void the_handle_may_be_finalised_meanwhile(fake_server* server) {
  struct client* c = client_attach(server);
  const phx_group group = client_join(c, "words");
  const phx_handle old = c->handle;
  phx_room room = {.bytes = 3000}, another = {.bytes = 8};
  size_t n = 0;
  CHECK_STATUS(PHX_OK, phx_reserve(old, group, &room, 1, PHX_AGREED, &n));
  client_detach(c);
  struct client* next = client_attach(server);
  CHECK((uint32_t)next->handle != (uint32_t)old);
  memset(room.data, 'x', 3000);
  CHECK_STATUS(PHX_BAD_HANDLE, phx_reserve(old, group, &another, 1, PHX_AGREED, &n));
  CHECK_STATUS(PHX_BAD_HANDLE, phx_commit(old, &room, 1));
  CHECK_STATUS(PHX_BAD_HANDLE, phx_commit(old, &room, 1));
  client_detach(next);
  next = client_attach(server);
  CHECK((uint32_t)next->handle == (uint32_t)old);
  client_detach(next);
}

static void a_child_of_fork_has_no_room(struct client* c, phx_group group) {
  phx_room room = {.bytes = 8};
  size_t n = 0;
  const int seen = c->messages;
  CHECK_STATUS(PHX_OK, phx_reserve(c->handle, group, &room, 1, PHX_AGREED, &n));
  const pid_t child = fork();
  if (child == 0) {
    const phx_room mine = room;
    CHECK_STATUS(PHX_BAD_HANDLE, phx_commit(c->handle, &mine, 1));
    CHECK_STATUS(PHX_BAD_HANDLE, phx_reserve(c->handle, group, &room, 1, PHX_AGREED, &n));
    _exit(0);
  }
  int ended = 1;
  CHECK(waitpid(child, &ended, 0) == child && ended == 0);
  memcpy(room.data, "parents'", 8);
  CHECK_STATUS(PHX_OK, phx_commit(c->handle, &room, 1));
  UNTIL(c, messages, seen + 1);
  CHECK(strcmp(c->text, "parents'") == 0);
}

int main(void) {
  fake_server* server = fake_server_start(NULL);
  struct client* c = client_attach(server);
  const phx_group group = client_join(c, "words");
  what_was_built_in_place_arrives_with_the_commit(c, group);
  lengths_are_those_of_the_commit(c, group);
  misuse_is_told(c, group);
  others_wait_for_the_commit(c);
  takes_as_many_as_fit(server, c, group);
  a_child_of_fork_has_no_room(c, group);
  client_detach(c);
  the_channel_may_go_meanwhile(server);
  no_reattach_says_disconnected(server);
  the_handle_may_be_finalised_meanwhile(server);
  fake_server_stop(server);
  return 0;
}

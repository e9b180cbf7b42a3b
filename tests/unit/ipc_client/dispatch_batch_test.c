#include <unistd.h>

#include "tests/unit/ipc_client/check.h"

/* phx_callbacks.messages: what follows one another comes together, in place, in order. */

enum { kSent = 200 };

struct reader {
  struct client seen;
  int calls, messages, wrong, most;
  phx_group group;
  int finalise;
};

static void on_messages(void* context, phx_handle handle, const phx_message* messages,
                        size_t count) {
  struct reader* r = context;
  r->calls++;
  CHECK(count >= 1 && count <= PHX_DISPATCHED_MAX);
  if ((int)count > r->most) r->most = (int)count;
  for (size_t i = 0; i < count; ++i) {
    char expected[64];
    snprintf(expected, sizeof expected, "number %05d", r->messages++);
    /* All of them are there at once. */
    if (messages[i].bytes != strlen(expected) || messages[i].group != r->group ||
        memcmp(messages[i].data, expected, messages[i].bytes) != 0)
      r->wrong++;
  }
  if (r->finalise) {
    CHECK_STATUS(PHX_OK, phx_finalize(handle));
    CHECK(messages[count - 1].bytes > 0 && *(const char*)messages[count - 1].data == 'n');
  }
}

static void send_numbers(struct client* c, phx_group group, int from, int to) {
  for (int i = from; i < to;) {
    char text[64];
    snprintf(text, sizeof text, "number %05d", i);
    const phx_status status = client_send(c, group, text);
    CHECK(status == PHX_OK || status == PHX_TRY_AGAIN);
    if (status == PHX_OK) ++i;
  }
}

static void attach(struct reader* r, fake_server* server) {
  phx_options options = {.submit_ring_bytes = 65536,
                         .delivery_ring_bytes = 32768,
                         .runtime_directory = fake_server_directory(server)};
  client_callbacks(&r->seen, &options);
  options.context = r; /* Its first member is what the other callbacks know. */
  options.callbacks.messages = on_messages;
  CHECK_STATUS(PHX_OK, phx_initialize(&options, &r->seen.handle));
  r->group = client_join(&r->seen, "words");
}

static void wait_for_queue(struct client* c, size_t bytes) {
  phx_flow flow = {0};
  while (flow.delivery_queued_bytes < bytes) CHECK_STATUS(PHX_OK, phx_flow_state(c->handle, &flow));
}

/* The queue once it holds more than that and has stood still for a time. */
static size_t settled_queue(struct client* c, size_t more_than) {
  size_t seen = 0;
  for (int still = 0; still < 50; ++still) {
    phx_flow flow;
    CHECK_STATUS(PHX_OK, phx_flow_state(c->handle, &flow));
    if (flow.delivery_queued_bytes <= more_than || flow.delivery_queued_bytes != seen) still = 0;
    seen = flow.delivery_queued_bytes;
    usleep(2000);
  }
  return seen;
}

static void messages_come_in_batches(fake_server* server) {
  struct reader r = {0};
  attach(&r, server);
  send_numbers(&r.seen, r.group, 0, 100);
  wait_for_queue(&r.seen, 100 * 40);
  CHECK_STATUS(PHX_OK, phx_dispatch(r.seen.handle, PHX_DISPATCH_ALL, 1000));
  CHECK(r.messages == 100 && r.wrong == 0 && r.most == PHX_DISPATCHED_MAX);
  /* 64, and what is left. The view of the join came before. */
  CHECK(r.calls == 2 && r.seen.messages == 0);
  phx_flow flow;
  CHECK_STATUS(PHX_OK, phx_flow_state(r.seen.handle, &flow));
  CHECK(flow.delivery_queued_bytes == 0);
  CHECK_STATUS(PHX_OK, phx_finalize(r.seen.handle));
}

static void one_is_one(fake_server* server) {
  struct reader r = {0};
  attach(&r, server);
  send_numbers(&r.seen, r.group, 0, 10);
  wait_for_queue(&r.seen, 10 * 40);
  for (int i = 1; i <= 10; ++i) {
    CHECK_STATUS(PHX_OK, phx_dispatch(r.seen.handle, PHX_DISPATCH_ONE, 1000));
    CHECK(r.messages == i && r.calls == i);
  }
  CHECK(r.wrong == 0 && r.most == 1);
  CHECK_STATUS(PHX_OK, phx_finalize(r.seen.handle));
}

/* A view has its place between messages. */
static void views_end_a_batch(fake_server* server) {
  struct reader r = {0};
  attach(&r, server);
  send_numbers(&r.seen, r.group, 0, 3);
  const size_t three = settled_queue(&r.seen, 0);
  const int views = r.seen.node_views + r.seen.transitionals;
  fake_server_change_view(server);
  const size_t with_views = settled_queue(&r.seen, three);
  send_numbers(&r.seen, r.group, 3, 6);
  wait_for_queue(&r.seen, with_views + three);
  CHECK_STATUS(PHX_OK, phx_dispatch(r.seen.handle, PHX_DISPATCH_ALL, 1000));
  CHECK(r.seen.node_views + r.seen.transitionals == views + 2);
  CHECK(r.messages == 6 && r.wrong == 0 && r.calls == 2 && r.most == 3);
  CHECK_STATUS(PHX_OK, phx_finalize(r.seen.handle));
}

static void a_batch_may_finalise(fake_server* server) {
  struct reader r = {.finalise = 1};
  attach(&r, server);
  send_numbers(&r.seen, r.group, 0, 100);
  wait_for_queue(&r.seen, 100 * 40);
  CHECK_STATUS(PHX_BAD_HANDLE, phx_dispatch(r.seen.handle, PHX_DISPATCH_FOREVER, 10000));
  CHECK(r.calls == 1 && r.wrong == 0);
}

static void more_than_the_ring_holds_comes_through(fake_server* server) {
  struct reader r = {0};
  attach(&r, server);
  for (int i = 0; i < 50 * kSent; i += kSent) {
    send_numbers(&r.seen, r.group, i, i + kSent / 2);
    for (int n = 0; r.messages < i + kSent / 2 && n < 1000; ++n)
      (void)phx_dispatch(r.seen.handle, PHX_DISPATCH_ALL, 10);
    send_numbers(&r.seen, r.group, i + kSent / 2, i + kSent);
    for (int n = 0; r.messages < i + kSent && n < 1000; ++n)
      (void)phx_dispatch(r.seen.handle, PHX_DISPATCH_ALL, 10);
  }
  CHECK(r.messages == 50 * kSent && r.wrong == 0 && r.seen.evicted == 0);
  CHECK_STATUS(PHX_OK, phx_finalize(r.seen.handle));
}

int main(void) {
  fake_server* server = fake_server_start(NULL);
  messages_come_in_batches(server);
  one_is_one(server);
  views_end_a_batch(server);
  a_batch_may_finalise(server);
  more_than_the_ring_holds_comes_through(server);
  fake_server_stop(server);
  return 0;
}

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "tests/unit/ipc_client/check.h"

/* Several threads send, query and dispatch on one handle; run under ThreadSanitizer too. */

enum { kSenders = 3, kEach = 2000 };
static struct client* shared;
static phx_group group;
static atomic_int delivered;

static void count(void* context, phx_handle handle, const phx_message* message) {
  (void)context, (void)handle, (void)message;
  atomic_fetch_add(&delivered, 1);
}

static void* send_all(void* context) {
  (void)context;
  for (int i = 0; i < kEach;) {
    const phx_status status = client_send(shared, group, "from one of several threads");
    CHECK(status == PHX_OK || status == PHX_TRY_AGAIN);
    if (status == PHX_OK)
      ++i;
    else
      sched_yield();
    phx_flow flow;
    if (i % 64 == 0) CHECK_STATUS(PHX_OK, phx_flow_state(shared->handle, &flow));
  }
  return NULL;
}

static void* dispatch_all(void* context) {
  (void)context;
  while (atomic_load(&delivered) < kSenders * kEach) {
    const phx_status status = phx_dispatch(shared->handle, PHX_DISPATCH_ALL, 20);
    CHECK(status == PHX_OK || status == PHX_TRY_AGAIN);
  }
  return NULL;
}

int main(void) {
  fake_server* server = fake_server_start(NULL);
  shared = calloc(1, sizeof *shared);
  phx_options options = {.runtime_directory = fake_server_directory(server),
                         .submit_ring_bytes = 16384};
  client_callbacks(shared, &options);
  options.callbacks.message = count;
  CHECK_STATUS(PHX_OK, phx_initialize(&options, &shared->handle));
  group = client_join(shared, "words");

  pthread_t threads[kSenders + 2];
  for (int i = 0; i < kSenders + 2; ++i) {
    CHECK(pthread_create(&threads[i], NULL, i < kSenders ? send_all : dispatch_all, NULL) == 0);
  }
  for (int i = 0; i < kSenders + 2; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  CHECK(atomic_load(&delivered) == kSenders * kEach);

  client_detach(shared);
  fake_server_stop(server);
  return 0;
}

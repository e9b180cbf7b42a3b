#include <corosync/cpg.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>

#include "perf/versus_corosync/client.h"

/* As long as libphalanx does by default: the same loop on both sides. */
enum { kYieldNs = 30000 };

static cpg_handle_t handle;
static struct client* self;
static int descriptor;

static void check(cs_error_t status, const char* what) {
  if (status == CS_OK) return;
  fprintf(stderr, "%s: error %d\n", what, (int)status);
  exit(1);
}

static void on_message(cpg_handle_t of, const struct cpg_name* group, uint32_t node, uint32_t pid,
                       void* data, size_t bytes) {
  (void)of, (void)group, (void)pid;
  client_delivered(self, node, data, bytes);
}

static void on_change(cpg_handle_t of, const struct cpg_name* group,
                      const struct cpg_address* members, size_t member_count,
                      const struct cpg_address* left, size_t left_count,
                      const struct cpg_address* joined, size_t joined_count) {
  (void)of, (void)group, (void)members, (void)left, (void)left_count, (void)joined;
  (void)joined_count;
  client_view(self, member_count);
}

void backend_open(struct client* client, const char* place) {
  (void)place;
  self = client;
  cpg_callbacks_t callbacks = {.cpg_deliver_fn = on_message, .cpg_confchg_fn = on_change};
  const struct cpg_name group = {.length = 6, .value = "versus"};
  check(cpg_initialize(&handle, &callbacks), "cpg_initialize");
  cs_error_t joined = cpg_join(handle, &group);
  for (int i = 0; joined == CS_ERR_TRY_AGAIN && i < 1000; ++i) { /* While its ring changes. */
    const struct timespec pause = {.tv_nsec = 10000000};
    nanosleep(&pause, NULL);
    joined = cpg_join(handle, &group);
  }
  check(joined, "cpg_join");
  check(cpg_fd_get(handle, &descriptor), "cpg_fd_get");
}

int backend_send(const void* data, size_t bytes, int safe) {
  if (safe) check(CS_ERR_NOT_SUPPORTED, "a safe message"); /* Its type is declared, no more. */
  const struct iovec part = {.iov_base = (void*)(size_t)data, .iov_len = bytes};
  const cs_error_t status = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &part, 1);
  if (status != CS_OK && status != CS_ERR_TRY_AGAIN) check(status, "cpg_mcast_joined");
  return status == CS_OK;
}

static long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}

static int is_waiting(int wait_ms) {
  struct pollfd entry = {.fd = descriptor, .events = POLLIN};
  return poll(&entry, 1, wait_ms) > 0;
}

void backend_dispatch(int wait_ms) {
  int found = is_waiting(0);
  const long start = now_ns();
  while (!found && wait_ms > 0 && now_ns() - start < kYieldNs) {
    sched_yield();
    found = is_waiting(0);
  }
  if (!found && wait_ms > 0) found = is_waiting(wait_ms);
  if (!found) return;
  const cs_error_t status = cpg_dispatch(handle, CS_DISPATCH_ALL);
  if (status != CS_ERR_TRY_AGAIN) check(status, "cpg_dispatch");
}

void backend_close(void) { cpg_finalize(handle); }

#include <phalanx/replica.h>
#include <time.h>

#include "tests/unit/ipc_client/check.h"

/* A replica of one: how long its apply takes, and what was reported of that. */
struct app {
  int sleep_ms;
  int applied;
  int slow;
  uint64_t slow_us;
};

static int snapshot(void* context, phx_replica_writer* writer) {
  (void)context;
  return phx_replica_write(writer, "", 1) == PHX_OK ? 0 : 1;
}

static int restore(void* context, const void* data, size_t bytes, uint32_t version) {
  (void)context, (void)data, (void)bytes, (void)version;
  return 0;
}

static int64_t apply(void* context, const phx_replica_operation* operation) {
  struct app* app = context;
  (void)operation;
  const struct timespec nap = {.tv_sec = 0, .tv_nsec = app->sleep_ms * 1000000L};
  if (app->sleep_ms > 0) nanosleep(&nap, NULL);
  app->applied++;
  return 0;
}

static void report(void* context, const phx_replica_report* told) {
  struct app* app = context;
  if (told->event != PHX_REPLICA_SLOW) return;
  app->slow++;
  app->slow_us = told->count;
}

static void submit(phx_replica* replica, struct app* app, int sleep_ms) {
  const int before = app->applied;
  app->sleep_ms = sleep_ms;
  CHECK_STATUS(PHX_OK, phx_replica_submit(replica, "x", 1, 1));
  for (int i = 0; i < 200 && app->applied == before; ++i) {
    const phx_status status = phx_replica_dispatch(replica, 50);
    CHECK(status == PHX_OK || status == PHX_TRY_AGAIN);
  }
  CHECK(app->applied == before + 1);
}

int main(void) {
  fake_server* server = fake_server_start(NULL);
  struct app app = {0};
  phx_replica* replica = NULL;
  const phx_replica_options options = {
      .struct_bytes = sizeof options,
      .callbacks = {.snapshot = snapshot, .restore = restore, .apply = apply, .report = report},
      .context = &app,
      .group = "slow",
      .group_bytes = 4,
      .runtime_directory = fake_server_directory(server),
      .slow_ms = 200};
  CHECK_STATUS(PHX_OK, phx_replica_open(&options, &replica));
  phx_replica_status status;
  submit(replica, &app, 0);
  CHECK_STATUS(PHX_OK, phx_replica_state(replica, &status));
  CHECK(app.slow == 0 && status.slow == 0);

  submit(replica, &app, 250);
  CHECK_STATUS(PHX_OK, phx_replica_state(replica, &status));
  CHECK(app.slow == 1 && status.slow == 1);
  CHECK(app.slow_us >= 250000);

  phx_replica_close(replica);
  fake_server_stop(server);
  return 0;
}

#include <sys/stat.h>

#include "tests/unit/ipc_client/check.h"

static phx_status attach(const char* directory, int timeout_ms) {
  phx_options options = {.struct_bytes = sizeof options,
                         .runtime_directory = directory,
                         .attach_timeout_ms = timeout_ms};
  phx_handle handle = 0;
  const phx_status status = phx_initialize(&options, &handle);
  if (status == PHX_OK) CHECK_STATUS(PHX_OK, phx_finalize(handle));
  CHECK(status == PHX_OK || handle == 0);
  return status;
}

static void refusals_come_with_their_reason(void) {
  const struct {
    uint32_t attach_status;
    phx_status status;
  } cases[] = {
      {1, PHX_ACCESS}, {2, PHX_VERSION}, {3, PHX_LIMIT}, {4, PHX_TRY_AGAIN}, {5, PHX_VERSION}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    fake_server* server =
        fake_server_start(&(fake_server_options){.refuse_status = cases[i].attach_status});
    const int timeout_ms = cases[i].status == PHX_TRY_AGAIN ? 50 : 5000;  // That one is repeated.
    CHECK_STATUS(cases[i].status, attach(fake_server_directory(server), timeout_ms));
    fake_server_stop(server);
  }
}

static void arguments_are_checked(const fake_server* server) {
  phx_handle handle = 0;
  phx_options options = {.struct_bytes = 8, .runtime_directory = fake_server_directory(server)};
  CHECK_STATUS(PHX_INVALID, phx_initialize(&options, &handle));
  options.struct_bytes = sizeof options;
  CHECK_STATUS(PHX_INVALID, phx_initialize(&options, NULL));
  char long_path[300];
  memset(long_path, 'x', sizeof long_path - 1);
  long_path[sizeof long_path - 1] = '\0';
  CHECK_STATUS(PHX_INVALID, attach(long_path, 50));
}

static void the_environment_names_the_directory(const fake_server* server) {
  phx_options options = {.struct_bytes = sizeof options};
  phx_handle handle = 0;
  CHECK(setenv("PHX_RUNTIME_DIR", fake_server_directory(server), 1) == 0);
  CHECK_STATUS(PHX_OK, phx_initialize(&options, &handle));
  CHECK_STATUS(PHX_OK, phx_finalize(handle));
  options.instance = "other";
  CHECK_STATUS(PHX_NOT_RUNNING, phx_initialize(&options, &handle));
  CHECK(unsetenv("PHX_RUNTIME_DIR") == 0);
}

static void handles_run_out_and_come_back(const fake_server* server) {
  static phx_handle handles[300];
  phx_options options = {.struct_bytes = sizeof options,
                         .runtime_directory = fake_server_directory(server),
                         .submit_ring_bytes = 4096,
                         .delivery_ring_bytes = 4096};
  size_t made = 0;
  phx_status status = PHX_OK;
  while (made < 300 && (status = phx_initialize(&options, &handles[made])) == PHX_OK) ++made;
  CHECK_STATUS(PHX_LIMIT, status);
  CHECK(made == 256);
  for (size_t i = 0; i < made; ++i) CHECK_STATUS(PHX_OK, phx_finalize(handles[i]));
  CHECK_STATUS(PHX_OK, attach(fake_server_directory(server), 1000));
}

int main(void) {
  CHECK_STATUS(PHX_NOT_RUNNING, attach("/nonexistent/phalanx", 50));
  refusals_come_with_their_reason();

  fake_server* server = fake_server_start(NULL);
  CHECK_STATUS(PHX_OK, attach(fake_server_directory(server), 1000));
  arguments_are_checked(server);
  the_environment_names_the_directory(server);
  handles_run_out_and_come_back(server);
  fake_server_stop(server);
  return 0;
}

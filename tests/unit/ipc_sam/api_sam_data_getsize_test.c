#include "tests/unit/ipc_sam/run.h"

static int size_in_instance(uint32_t instance) {
  size_t bytes = 99;
  CHECK_STATUS(PHX_OK, phx_sam_data_getsize(&bytes));
  CHECK(bytes == (instance == 1 ? 0 : 3));
  if (instance == 2) return 0;
  CHECK_STATUS(PHX_OK, phx_sam_data_store("abc", 3));
  raise(SIGKILL);
  return 1;
}

int main(void) {
  size_t bytes = 99;
  const phx_sam_options options = sam_options(PHX_SAM_QUIT, 0);
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_data_getsize(&bytes));
  CHECK(bytes == 99);
  CHECK_STATUS(PHX_OK, phx_sam_initialize(&options));
  CHECK_STATUS(PHX_INVALID, phx_sam_data_getsize(NULL));
  CHECK_STATUS(PHX_OK, phx_sam_data_getsize(&bytes));
  CHECK(bytes == 0);
  CHECK_STATUS(PHX_OK, phx_sam_data_store("abcd", 4));
  CHECK_STATUS(PHX_OK, phx_sam_data_getsize(&bytes));
  CHECK(bytes == 4);
  CHECK_STATUS(PHX_OK, phx_sam_finalize());
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_data_getsize(&bytes));

  struct run run = run_start(sam_options(PHX_SAM_RESTART, 0), NULL, size_in_instance);
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_FAILED);
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_ENDED);
  CHECK(run_end(&run) == 0);
  return 0;
}

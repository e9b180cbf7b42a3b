#include "tests/unit/ipc_sam/run.h"

static int stop_and_be_silent(uint32_t instance) {
  CHECK(instance == 1);
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_stop());
  CHECK_STATUS(PHX_OK, phx_sam_start());
  CHECK_STATUS(PHX_OK, phx_sam_stop());
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_stop());
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_hc_send());
  sleep_ms(FAIR_MS + 100);
  return 4;
}

static int start_again(uint32_t instance) {
  CHECK(instance == 1);
  CHECK_STATUS(PHX_OK, phx_sam_start());
  CHECK_STATUS(PHX_OK, phx_sam_stop());
  CHECK_STATUS(PHX_OK, phx_sam_start());
  return wait_for_ever();
}

int main(void) {
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_stop());
  CHECK(run_once(sam_options(PHX_SAM_RESTART, FAIR_MS), NULL, stop_and_be_silent) == 4);

  struct run run = run_start(sam_options(PHX_SAM_QUIT, FAIR_MS), NULL, start_again);
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_LATE);
  run_expect(&run, PHX_SAM_FAILED);
  CHECK(run_end(&run) == 128 + SIGTERM);
  return 0;
}

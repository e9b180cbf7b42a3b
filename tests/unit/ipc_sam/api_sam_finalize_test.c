#include "tests/unit/ipc_sam/run.h"

static int fds_before;
static void count_before(void) { fds_before = count_fds(getpid()); }

/* Late, ended by a signal: no failure any more. */
static int finalize_and_die(uint32_t instance) {
  CHECK(instance == 1);
  CHECK_STATUS(PHX_OK, phx_sam_start());
  CHECK_STATUS(PHX_OK, phx_sam_finalize());
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_finalize());
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_start());
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_stop());
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_hc_send());
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_mark_failed());
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_data_store("x", 1));
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_warn_signal_set(SIGTERM));
  const phx_sam_options options = sam_options(PHX_SAM_QUIT, 0);
  CHECK_STATUS(PHX_EXISTS, phx_sam_initialize(&options));
  CHECK(count_fds(getpid()) == fds_before);
  sleep_ms(FAIR_MS + 100);
  raise(SIGKILL);
  return 0;
}

int main(void) {
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_finalize());
  CHECK(run_once(sam_options(PHX_SAM_RESTART, FAIR_MS), count_before, finalize_and_die) ==
        128 + SIGKILL);
  return 0;
}

#include "tests/unit/ipc_sam/run.h"

static void choose_before(void) { CHECK_STATUS(PHX_OK, phx_sam_warn_signal_set(SIGUSR2)); }

static void on_usr1(int signal) {
  (void)signal;
  _exit(11);
}

/* Instance 1 dies of the signal chosen before register, 2 chooses another, 3 has it by default. */
static int be_late(uint32_t instance) {
  signal(SIGUSR1, on_usr1);
  CHECK_STATUS(PHX_INVALID, phx_sam_warn_signal_set(0));
  CHECK_STATUS(PHX_INVALID, phx_sam_warn_signal_set(-1));
  CHECK_STATUS(PHX_INVALID, phx_sam_warn_signal_set(1000));
  if (instance == 2) CHECK_STATUS(PHX_OK, phx_sam_warn_signal_set(SIGUSR1));
  if (instance == 4) return 0;
  CHECK_STATUS(PHX_OK, phx_sam_start());
  return wait_for_ever();
}

/* Ignored, the warning only costs time. */
static int ignore_it(uint32_t instance) {
  (void)instance;
  signal(SIGUSR2, SIG_IGN);
  CHECK_STATUS(PHX_OK, phx_sam_start());
  return wait_for_ever();
}

int main(void) {
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_warn_signal_set(SIGTERM));

  struct run run = run_start(sam_options(PHX_SAM_RESTART, FAIR_MS), choose_before, be_late);
  const int ends[] = {SIGUSR2, 11 << 8, 11 << 8};
  for (int i = 0; i < 3; i++) {
    run_expect(&run, PHX_SAM_STARTED);
    run_expect(&run, PHX_SAM_LATE);
    CHECK(run_expect(&run, PHX_SAM_FAILED).wait_status == ends[i]);
  }
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_ENDED);
  CHECK(run_end(&run) == 0);

  run = run_start(sam_options(PHX_SAM_QUIT, SHORT_MS), choose_before, ignore_it);
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_LATE);
  run_expect(&run, PHX_SAM_KILLED);
  run_expect(&run, PHX_SAM_FAILED);
  CHECK(run_end(&run) == 128 + SIGKILL);
  return 0;
}

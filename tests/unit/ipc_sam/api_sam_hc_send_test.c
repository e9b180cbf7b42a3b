#include "tests/unit/ipc_sam/run.h"

static void on_warning(int signal) {
  (void)signal;
  _exit(9);
}

/* Lives for several intervals, then hangs; its handler has the last word. */
static int beat_and_hang(uint32_t instance) {
  CHECK(instance == 1);
  signal(SIGTERM, on_warning);
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_hc_send());
  CHECK_STATUS(PHX_OK, phx_sam_start());
  for (int i = 0; i < 100; i++) {
    CHECK_STATUS(PHX_OK, phx_sam_hc_send());
    sleep_ms(20);
  }
  note(1);
  return wait_for_ever();
}

static int send_from_a_child(uint32_t instance) {
  (void)instance;
  CHECK_STATUS(PHX_OK, phx_sam_start());
  const pid_t child = fork();
  if (child == 0) {
    CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_hc_send());
    CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_mark_failed());
    CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_finalize());
    _exit(0);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  CHECK_STATUS(PHX_OK, phx_sam_hc_send());
  CHECK_STATUS(PHX_OK, phx_sam_stop());
  return 0;
}

int main(void) {
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_hc_send());

  struct run run = run_start(sam_options(PHX_SAM_QUIT, FAIR_MS), NULL, beat_and_hang);
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_LATE);
  CHECK(run_note(&run) == 1); /* So it was not late before it hung. */
  CHECK(run_expect(&run, PHX_SAM_FAILED).wait_status == 9 << 8);
  CHECK(run_end(&run) == 9);

  CHECK(run_once(sam_options(PHX_SAM_QUIT, LONG_MS), NULL, send_from_a_child) == 0);
  return 0;
}

#include "tests/unit/ipc_sam/run.h"

static void never(int signal) {
  (void)signal;
  note(99);
}

static int mark(uint32_t instance) {
  if (instance == 2) return 0;
  signal(SIGTERM, never);
  CHECK_STATUS(PHX_OK, phx_sam_mark_failed()); /* Not started: not needed. */
  return wait_for_ever();
}

/* It may be gone before the supervisor reads that; a failure it is all the same. */
static int mark_and_exit(uint32_t instance) {
  if (instance == 2) return 8;
  CHECK_STATUS(PHX_OK, phx_sam_mark_failed());
  return 0;
}

int main(void) {
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_mark_failed());

  struct run run = run_start(sam_options(PHX_SAM_RESTART, LONG_MS), NULL, mark);
  run_expect(&run, PHX_SAM_STARTED);
  CHECK(run_expect(&run, PHX_SAM_MARKED).instance == 1);
  CHECK(WTERMSIG(run_expect(&run, PHX_SAM_FAILED).wait_status) == SIGKILL);
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_ENDED);
  CHECK(!is_readable(run.notes, 0) || read(run.notes, &(char){0}, 1) == 0); /* No warning. */
  CHECK(run_end(&run) == 0);

  run = run_start(sam_options(PHX_SAM_RESTART, 0), NULL, mark_and_exit);
  while (run_report(&run).event != PHX_SAM_ENDED) {
  }
  CHECK(run_end(&run) == 8);
  return 0;
}

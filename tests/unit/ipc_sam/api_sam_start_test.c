#include "tests/unit/ipc_sam/run.h"

static int exit_when_started(uint32_t instance) {
  if (instance == 1) {
    CHECK_STATUS(PHX_OK, phx_sam_start());
    CHECK_STATUS(PHX_EXISTS, phx_sam_start());
  }
  return 0;
}

/* Started, even exit status 0 breaks the promise; not started, any exit is an end. */
static void ending_is_a_failure(void) {
  struct run run = run_start(sam_options(PHX_SAM_RESTART, LONG_MS), NULL, exit_when_started);
  run_expect(&run, PHX_SAM_STARTED);
  CHECK(run_expect(&run, PHX_SAM_FAILED).wait_status == 0);
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_ENDED);
  CHECK(run_end(&run) == 0);
}

static int start_and_stop_oneself(uint32_t instance) {
  if (instance == 2) return 5;
  CHECK_STATUS(PHX_OK, phx_sam_start());
  raise(SIGSTOP);
  return wait_for_ever();
}

/* A stopped process cannot heed a warning: the kill comes an interval later. */
static void a_stopped_one_is_killed(void) {
  struct run run = run_start(sam_options(PHX_SAM_RESTART, SHORT_MS), NULL, start_and_stop_oneself);
  run_expect(&run, PHX_SAM_STARTED);
  CHECK(run_expect(&run, PHX_SAM_LATE).instance == 1);
  CHECK(run_expect(&run, PHX_SAM_KILLED).instance == 1);
  CHECK(WTERMSIG(run_expect(&run, PHX_SAM_FAILED).wait_status) == SIGKILL);
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_ENDED);
  CHECK(run_end(&run) == 5);
}

static int exit_5_when_started(uint32_t instance) {
  (void)instance;
  CHECK_STATUS(PHX_OK, phx_sam_start());
  return 5;
}

int main(void) {
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_start());
  ending_is_a_failure();
  a_stopped_one_is_killed();
  phx_sam_options options = sam_options(PHX_SAM_QUIT, LONG_MS);
  CHECK(run_once(options, NULL, exit_5_when_started) == 5);
  /* A failure never looks like success, unless 0 was declared to be one. */
  CHECK(run_once(options, NULL, exit_when_started) == 1);
  options.flags = PHX_SAM_EXIT_ZERO_ENDS;
  CHECK(run_once(options, NULL, exit_when_started) == 0);
  CHECK(run_once(options, NULL, exit_5_when_started) == 5);
  return 0;
}

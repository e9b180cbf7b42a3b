#include <stdatomic.h>

#include "tests/unit/ipc_sam/run.h"

static atomic_int calls;
static atomic_int answer;

static int is_healthy(void) {
  atomic_fetch_add(&calls, 1);
  return atomic_load(&answer);
}

static int fall_ill(uint32_t instance) {
  if (instance == 2) return 0;
  CHECK_STATUS(PHX_OK, phx_sam_hc_callback_register(is_healthy));
  CHECK_STATUS(PHX_OK, phx_sam_start());
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_hc_callback_register(NULL));
  while (atomic_load(&calls) < 6) sleep_ms(5); /* More than an interval without hc_send. */
  note(1);
  atomic_store(&answer, 1);
  return wait_for_ever();
}

static int hang(void) { return wait_for_ever(); }
static int be_hung(uint32_t instance) {
  (void)instance;
  signal(SIGTERM, SIG_IGN);
  CHECK_STATUS(PHX_OK, phx_sam_hc_callback_register(hang));
  CHECK_STATUS(PHX_OK, phx_sam_start());
  return wait_for_ever();
}

/* After the stop the callback rests, and stopping in the callback itself does not lock up. */
static int stop_inside(void) {
  atomic_fetch_add(&calls, 1);
  CHECK_STATUS(PHX_OK, phx_sam_stop());
  return 0;
}
static int stop_both_ways(uint32_t instance) {
  CHECK(instance == 1);
  const int fds = count_fds(getpid());
  CHECK_STATUS(PHX_OK, phx_sam_hc_callback_register(is_healthy));
  for (int i = 0; i < 3; i++) {
    CHECK_STATUS(PHX_OK, phx_sam_start());
    CHECK_STATUS(PHX_OK, phx_sam_stop());
  }
  CHECK(count_fds(getpid()) == fds);
  const int before = atomic_load(&calls);
  sleep_ms(FAIR_MS + 100);
  CHECK(atomic_load(&calls) == before);

  CHECK_STATUS(PHX_OK, phx_sam_hc_callback_register(stop_inside));
  CHECK_STATUS(PHX_OK, phx_sam_start());
  while (atomic_load(&calls) == before) sleep_ms(5);
  sleep_ms(FAIR_MS + 100); /* Longer than an interval: nobody watches. */
  CHECK(atomic_load(&calls) == before + 1);
  CHECK(count_fds(getpid()) == fds);
  return 6;
}

int main(void) {
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_hc_callback_register(is_healthy));

  struct run run = run_start(sam_options(PHX_SAM_RESTART, 2 * FAIR_MS), NULL, fall_ill);
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_UNHEALTHY);
  CHECK(run_note(&run) == 1);
  CHECK(WTERMSIG(run_expect(&run, PHX_SAM_FAILED).wait_status) == SIGTERM);
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_ENDED);
  CHECK(run_end(&run) == 0);

  run = run_start(sam_options(PHX_SAM_QUIT, SHORT_MS), NULL, be_hung);
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_LATE);
  run_expect(&run, PHX_SAM_KILLED);
  run_expect(&run, PHX_SAM_FAILED);
  CHECK(run_end(&run) == 128 + SIGKILL);

  CHECK(run_once(sam_options(PHX_SAM_QUIT, FAIR_MS), NULL, stop_both_ways) == 6);
  return 0;
}

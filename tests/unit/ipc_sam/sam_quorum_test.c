/* PHX_SAM_WITH_QUORUM: an instance starts where there is quorum, and not a moment longer runs on
 * without it. */
#include "tests/support/fake_server.h"
#include "tests/unit/ipc_sam/run.h"

static fake_server* server;

static void use_the_server(void) {
  CHECK(setenv("PHX_RUNTIME_DIR", fake_server_directory(server), 1) == 0);
}

static phx_sam_options quorum_bound(int interval_ms) {
  phx_sam_options options = sam_options(PHX_SAM_RESTART, interval_ms);
  options.flags = PHX_SAM_WITH_QUORUM;
  options.restart_delay_ms = options.restart_delay_max_ms = 10;
  return options;
}

static int note_the_start(uint32_t instance) {
  CHECK_STATUS(PHX_OK, phx_sam_start());
  note(100 + instance);
  return wait_for_ever();
}

/* Whether the first start had to wait depends on who was quicker: the supervisor, which attaches,
 * or its instance. */
static phx_sam_report expect_after_a_wait(struct run* run, phx_sam_event event) {
  phx_sam_report report = run_report(run);
  if (report.event == PHX_SAM_WAITING) report = run_report(run);
  CHECK(report.event == event);
  return report;
}

static int end_by_signal(struct run* run) {
  kill(run->supervisor, SIGTERM);
  expect_after_a_wait(run, PHX_SAM_ENDED);
  return run_end(run);
}

/* No daemon, then one: the start comes with its first view. */
static void waits_for_quorum(void) {
  fake_server_kill(server);
  struct run run = run_start(quorum_bound(LONG_MS), use_the_server, note_the_start);
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_WAITING);
  fake_server_revive(server);
  CHECK(run_note(&run) == 101);
  CHECK(end_by_signal(&run) == 128 + SIGTERM);
}

/* The view changes and is not quorate: warned, and the next instance waits. */
static void is_warned_when_a_view_loses_it(void) {
  struct run run = run_start(quorum_bound(LONG_MS), use_the_server, note_the_start);
  run_expect(&run, PHX_SAM_STARTED);
  CHECK(run_note(&run) == 101);
  fake_server_change_view(server);
  CHECK(expect_after_a_wait(&run, PHX_SAM_QUORUM_LOST).instance == 1);
  CHECK(WTERMSIG(run_expect(&run, PHX_SAM_FAILED).wait_status) == SIGTERM);
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_WAITING);
  fake_server_kill(server);
  fake_server_revive(server); /* A new data plane begins with a view that is quorate. */
  CHECK(run_note(&run) == 102);
  CHECK(end_by_signal(&run) == 128 + SIGTERM);
}

static int ignore_the_warning(uint32_t instance) {
  signal(SIGTERM, SIG_IGN);
  return note_the_start(instance);
}

/* Who does not heed the warning is killed an interval later, also where the data plane just went.
 */
static void is_killed_after_the_warning(void) {
  phx_sam_options options = quorum_bound(0);
  options.stop_ms = SHORT_MS; /* Without an interval. */
  options.policy = PHX_SAM_QUIT;
  struct run run = run_start(options, use_the_server, ignore_the_warning);
  run_expect(&run, PHX_SAM_STARTED);
  CHECK(run_note(&run) == 101);
  fake_server_kill(server);
  expect_after_a_wait(&run, PHX_SAM_QUORUM_LOST);
  run_expect(&run, PHX_SAM_KILLED);
  CHECK(WTERMSIG(run_expect(&run, PHX_SAM_FAILED).wait_status) == SIGKILL);
  CHECK(run_end(&run) == 128 + SIGKILL);
  fake_server_revive(server);
}

static int start_stop_start(uint32_t instance) {
  CHECK_STATUS(PHX_OK, phx_sam_start());
  CHECK_STATUS(PHX_OK, phx_sam_stop());
  note(200 + instance);
  return wait_for_ever();
}

/* Between stop and start nothing was promised. */
static void leaves_alone_who_has_not_started(void) {
  struct run run = run_start(quorum_bound(LONG_MS), use_the_server, start_stop_start);
  run_expect(&run, PHX_SAM_STARTED);
  CHECK(run_note(&run) == 201);
  fake_server_kill(server);
  fake_server_revive(server);
  CHECK(end_by_signal(&run) == 128 + SIGTERM);
}

/* The first one may come just before the wait, and would then interrupt nothing. */
static void on_alarm(int number) {
  (void)number;
  alarm(1);
}

static int is_interrupted(uint32_t instance) {
  (void)instance;
  struct sigaction action = {.sa_handler = on_alarm};
  sigaction(SIGUSR1, &action, NULL);
  sigaction(SIGALRM, &action, NULL);
  note(300);
  CHECK_STATUS(PHX_TRY_AGAIN, phx_sam_start());
  note(301);
  return 3; /* Not started, so this is no failure. */
}

/* A program that is told to stop by a handler of its own does not hang in the wait. */
static void returns_after_a_signal_was_handled(void) {
  fake_server_kill(server);
  struct run run = run_start(quorum_bound(LONG_MS), use_the_server, is_interrupted);
  run_expect(&run, PHX_SAM_STARTED);
  CHECK(run_note(&run) == 300);
  run_expect(&run, PHX_SAM_WAITING);
  kill(run.supervisor, SIGUSR1); /* Passed on. */
  CHECK(run_note(&run) == 301);
  run_expect(&run, PHX_SAM_ENDED);
  CHECK(run_end(&run) == 3);
  fake_server_revive(server);
}

int main(void) {
  signal(SIGTERM, SIG_DFL);
  signal(SIGUSR1, SIG_DFL);
  server = fake_server_start(NULL);
  waits_for_quorum();
  is_warned_when_a_view_loses_it();
  is_killed_after_the_warning();
  leaves_alone_who_has_not_started();
  returns_after_a_signal_was_handled();
  fake_server_stop(server);
  return 0;
}

/* What the supervisor does by itself: back-off, signals, its own death. */
#include "tests/unit/ipc_sam/run.h"

static int die_at_once(uint32_t instance) {
  if (instance < 6) raise(SIGSEGV);
  return 0;
}

static void plain_faults(void) { signal(SIGSEGV, SIG_DFL); } /* A sanitizer has a handler. */

static void backs_off(void) {
  phx_sam_options options = sam_options(PHX_SAM_RESTART, 0);
  options.restart_delay_ms = 20;
  options.restart_delay_max_ms = 100;
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  struct run run = run_start(options, plain_faults, die_at_once);
  int delay = 10;
  for (int i = 0; i < 5; i++) {
    const int doubled = delay < 50 ? 2 * delay : 100;
    run_expect(&run, PHX_SAM_STARTED);
    delay = run_expect(&run, PHX_SAM_FAILED).restart_ms;
    /* On a host so busy that dying took 100 ms, it begins anew. */
    CHECK(delay == doubled || (i > 0 && delay == 20));
  }
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_ENDED);
  clock_gettime(CLOCK_MONOTONIC, &end);
  /* Five delays of 20 ms at least. */
  CHECK((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 >= 99);
  CHECK(run_end(&run) == 0);
}

/* A stop signal is not waited for behind a back-off of minutes. */
static void stops_in_back_off(void) {
  phx_sam_options options = sam_options(PHX_SAM_RESTART, 0);
  options.restart_delay_ms = options.restart_delay_max_ms = 600000;
  struct run run = run_start(options, plain_faults, die_at_once);
  run_expect(&run, PHX_SAM_STARTED);
  CHECK(run_expect(&run, PHX_SAM_FAILED).restart_ms == 600000);
  kill(run.supervisor, SIGHUP); /* No stop signal. */
  kill(run.supervisor, SIGTERM);
  CHECK(run_end(&run) == 128 + SIGSEGV);
}

static int start_without_an_interval(uint32_t instance) {
  CHECK(instance == 1);
  CHECK_STATUS(PHX_OK, phx_sam_start());
  note(1);
  return wait_for_ever();
}

static long long cpu_ns(pid_t pid) {
  char path[64];
  long long ns = 0;
  snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
  FILE* file = fopen(path, "r");
  if (file == NULL || fscanf(file, "%lld", &ns) != 1) ns = 0; /* A kernel without it. */
  if (file != NULL) fclose(file);
  return ns;
}

/* There is nothing to wait for but the end of the instance: it must sleep until then. */
static void sleeps_without_an_interval(void) {
  struct run run = run_start(sam_options(PHX_SAM_QUIT, 0), NULL, start_without_an_interval);
  run_expect(&run, PHX_SAM_STARTED);
  CHECK(run_note(&run) == 1);
  const long long before = cpu_ns(run.supervisor);
  sleep_ms(300);
  CHECK(cpu_ns(run.supervisor) - before < 30000000);
  kill(run.supervisor, SIGTERM);
  run_expect(&run, PHX_SAM_ENDED);
  CHECK(run_end(&run) == 128 + SIGTERM);
}

static void exit_21(int signal) { _exit(signal == SIGTERM ? 21 : 22); }
static volatile sig_atomic_t noted;
static void note_signal(int signal) { note((uint32_t)signal); }
/* Once: a supervisor with a second thread, as a sanitizer makes it, can die twice for the kernel.
 */
static void note_first_signal(int signal) {
  if (!noted) note((uint32_t)signal);
  noted = 1;
}

static int heed_signals(uint32_t instance) {
  CHECK(instance == 1);
  signal(SIGTERM, exit_21);
  signal(SIGHUP, note_signal);
  signal(SIGUSR1, note_signal);
  signal(SIGUSR2, note_signal);
  CHECK_STATUS(PHX_OK, phx_sam_start());
  note(1);
  return wait_for_ever();
}

/* Passed on; after a stop signal there is no next instance, though it ended while started. */
static void passes_signals_on(void) {
  struct run run = run_start(sam_options(PHX_SAM_RESTART, 0), NULL, heed_signals);
  run_expect(&run, PHX_SAM_STARTED);
  CHECK(run_note(&run) == 1);
  const int passed_on[] = {SIGHUP, SIGUSR1, SIGUSR2};
  for (int i = 0; i < 3; i++) {
    kill(run.supervisor, passed_on[i]);
    CHECK(run_note(&run) == (uint32_t)passed_on[i]);
  }
  kill(run.supervisor, SIGTERM);
  CHECK(run_expect(&run, PHX_SAM_ENDED).wait_status == 21 << 8);
  CHECK(run_end(&run) == 21);
}

static void ignore_hup(void) { signal(SIGHUP, SIG_IGN); }

/* As under nohup: what is ignored at register is not passed on. */
static void leaves_ignored_signals(void) {
  struct run run = run_start(sam_options(PHX_SAM_RESTART, 0), ignore_hup, heed_signals);
  run_expect(&run, PHX_SAM_STARTED);
  CHECK(run_note(&run) == 1);
  kill(run.supervisor, SIGHUP);
  kill(run.supervisor, SIGUSR1);
  CHECK(run_note(&run) == SIGUSR1);
  kill(run.supervisor, SIGTERM);
  run_expect(&run, PHX_SAM_ENDED);
  CHECK(run_end(&run) == 21);
}

static int ignore_stop(uint32_t instance) {
  (void)instance;
  signal(SIGTERM, SIG_IGN);
  note(1);
  return wait_for_ever();
}

static void bounds_a_stop(void) {
  phx_sam_options options = sam_options(PHX_SAM_RESTART, 0);
  options.stop_ms = 50;
  struct run run = run_start(options, NULL, ignore_stop);
  run_expect(&run, PHX_SAM_STARTED);
  CHECK(run_note(&run) == 1);
  kill(run.supervisor, SIGTERM);
  run_expect(&run, PHX_SAM_KILLED);
  run_expect(&run, PHX_SAM_ENDED);
  CHECK(run_end(&run) == 128 + SIGKILL);
}

/* Ignores the warning that its supervisor's death sends, and finds out by the next call. */
static int outlive_the_supervisor(uint32_t instance) {
  (void)instance;
  signal(SIGTERM, note_first_signal);
  CHECK_STATUS(PHX_OK, phx_sam_start());
  note(1);
  while (!noted) sleep_ms(5);
  CHECK_STATUS(PHX_DISCONNECTED, phx_sam_hc_send());
  CHECK_STATUS(PHX_DISCONNECTED, phx_sam_data_store("x", 1));
  CHECK_STATUS(PHX_DISCONNECTED, phx_sam_stop());
  CHECK_STATUS(PHX_OK, phx_sam_finalize());
  note(2);
  return 0;
}

static void tells_of_its_death(void) {
  struct run run = run_start(sam_options(PHX_SAM_RESTART, 0), NULL, outlive_the_supervisor);
  run_expect(&run, PHX_SAM_STARTED);
  CHECK(run_note(&run) == 1);
  kill(run.supervisor, SIGKILL);
  CHECK(run_note(&run) == SIGTERM);
  CHECK(run_note(&run) == 2);
  CHECK(run_end(&run) == 128 + SIGKILL);
}

static int beat_until_told(uint32_t instance) {
  CHECK(instance == 1);
  signal(SIGUSR1, exit_21);
  CHECK_STATUS(PHX_OK, phx_sam_start());
  note(1);
  for (;;) {
    (void)phx_sam_hc_send(); /* PHX_TRY_AGAIN while the supervisor is stopped for long. */
    sleep_ms(20);
  }
}

/* All stopped for intervals (a debugger, a frozen host): no verdict over the time nobody ran. */
static void is_fair_after_a_stop(void) {
  phx_sam_options options = sam_options(PHX_SAM_RESTART, FAIR_MS);
  options.restart_delay_ms = options.restart_delay_max_ms = 600000; /* One instance only. */
  struct run run = run_start(options, NULL, beat_until_told);
  const pid_t pid = run_expect(&run, PHX_SAM_STARTED).pid;
  CHECK(run_note(&run) == 1);
  kill(run.supervisor, SIGSTOP);
  kill(pid, SIGSTOP);
  sleep_ms(3 * FAIR_MS);
  kill(run.supervisor, SIGCONT);
  sleep_ms(100);
  kill(pid, SIGCONT);
  sleep_ms(FAIR_MS);
  kill(pid, SIGUSR1);
  CHECK(run_expect(&run, PHX_SAM_FAILED).wait_status == 22 << 8);
  kill(run.supervisor, SIGKILL);
  CHECK(run_end(&run) == 128 + SIGKILL);
}

/* A child of the instance holds its descriptors, the socket too: the death is seen all the same. */
static int leave_a_child(uint32_t instance) {
  if (instance == 2) return 0;
  if (fork() == 0) {
    sleep_ms(1000);
    _exit(0);
  }
  raise(SIGKILL);
  return 1;
}

static void is_not_fooled_by_grandchildren(void) {
  struct run run = run_start(sam_options(PHX_SAM_RESTART, 0), NULL, leave_a_child);
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_FAILED);
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_ENDED);
  CHECK(run_end(&run) == 0);
}

/* Without a hook: a line on standard error. */
static int die_once(uint32_t instance) {
  if (instance == 1) raise(SIGKILL);
  return 0;
}

static void writes_a_line(void) {
  int lines[2];
  CHECK(pipe(lines) == 0);
  const int real = dup(STDERR_FILENO);
  dup2(lines[1], STDERR_FILENO);
  phx_sam_options options = sam_options(PHX_SAM_RESTART, 0);
  options.report = NULL;
  struct run run = run_start(options, NULL, die_once);
  CHECK(run_end(&run) == 0);
  dup2(real, STDERR_FILENO);
  close(real);
  close(lines[1]);
  char text[512] = "";
  CHECK(read(lines[0], text, sizeof text - 1) > 0);
  close(lines[0]);
  CHECK(strncmp(text, "phx_sam: instance 1 pid ", 24) == 0);
  CHECK(strstr(text, " failed: ended by signal 9; next one in 1 ms\n") != NULL);
}

int main(void) {
  /* Whatever nohup or a shell's background job ignores. */
  const int heard[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};
  for (size_t i = 0; i < sizeof heard / sizeof *heard; i++) signal(heard[i], SIG_DFL);
  backs_off();
  stops_in_back_off();
  sleeps_without_an_interval();
  passes_signals_on();
  leaves_ignored_signals();
  bounds_a_stop();
  tells_of_its_death();
  is_fair_after_a_stop();
  is_not_fooled_by_grandchildren();
  writes_a_line();
  return 0;
}

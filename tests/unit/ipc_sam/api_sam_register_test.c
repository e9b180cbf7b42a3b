#include <pthread.h>

#include "tests/unit/ipc_sam/run.h"

static int killed_twice(uint32_t instance) {
  note(instance);
  if (instance < 3) wait_for_ever();
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_register(NULL));
  CHECK_STATUS(PHX_EXISTS, phx_sam_initialize(&(phx_sam_options){
                               .struct_bytes = sizeof(phx_sam_options), .policy = PHX_SAM_QUIT}));
  return 7;
}

static void restarts_what_was_killed(void) {
  struct run run = run_start(sam_options(PHX_SAM_RESTART, 0), NULL, killed_twice);
  for (uint32_t i = 1; i <= 2; i++) {
    const phx_sam_report started = run_expect(&run, PHX_SAM_STARTED);
    CHECK(started.instance == i && run_note(&run) == i);
    kill(started.pid, SIGKILL);
    const phx_sam_report failed = run_expect(&run, PHX_SAM_FAILED);
    CHECK(failed.instance == i && failed.pid == started.pid && failed.restart_ms >= 0);
    CHECK(WIFSIGNALED(failed.wait_status) && WTERMSIG(failed.wait_status) == SIGKILL);
  }
  CHECK(run_expect(&run, PHX_SAM_STARTED).instance == 3);
  CHECK(run_expect(&run, PHX_SAM_ENDED).wait_status == 7 << 8);
  CHECK(run_end(&run) == 7);
}

/* Quit: the supervisor ends as the instance did. */
static int abort_itself(uint32_t instance) {
  (void)instance;
  signal(SIGABRT, SIG_DFL);
  raise(SIGABRT);
  return 0;
}

static int fds_before;
static void count_before(void) { fds_before = count_fds(getpid()); }
static int count_after_some(uint32_t instance) {
  if (instance <= 20) raise(SIGKILL);
  /* The socket to the supervisor is all that an instance has on top; the supervisor also has the
   * signals' descriptor. */
  CHECK(count_fds(getpid()) == fds_before + 1);
  CHECK(count_fds(getppid()) == fds_before + 2);
  /* It has no other child, so no zombie. */
  char path[64];
  char line[256] = "";
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)getppid(), (int)getppid());
  FILE* children = fopen(path, "re");
  if (children == NULL) return 0; /* The kernel was built without that file. */
  CHECK(fgets(line, sizeof line, children) != NULL);
  fclose(children);
  CHECK(atoi(line) == getpid() && strchr(line, ' ') == line + strlen(line) - 1);
  return 0;
}

static void leaks_nothing(void) {
  struct run run = run_start(sam_options(PHX_SAM_RESTART, 0), count_before, count_after_some);
  for (int i = 0; i < 20; i++) {
    run_expect(&run, PHX_SAM_STARTED);
    run_expect(&run, PHX_SAM_FAILED);
  }
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_ENDED);
  CHECK(run_end(&run) == 0);
}

/* Children from before: the supervisor is their parent now, and reaps them. */
static pid_t elder;
static void have_a_child(void) {
  elder = fork();
  if (elder == 0) _exit(3);
}
static int elder_is_gone(uint32_t instance) {
  (void)instance;
  for (int i = 0; i < 1000 && kill(elder, 0) == 0; i++) sleep_ms(10);
  return kill(elder, 0) == 0 ? 1 : 0;
}

#ifndef __SANITIZE_THREAD__
static void* wait_in_thread(void* argument) {
  (void)argument;
  wait_for_ever();
  return NULL;
}

static void refuses_threads(void) {
  const pid_t child = fork();
  if (child == 0) {
    const phx_sam_options options = sam_options(PHX_SAM_QUIT, 0);
    pthread_t thread;
    CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_register(NULL));
    CHECK_STATUS(PHX_OK, phx_sam_initialize(&options));
    CHECK(pthread_create(&thread, NULL, wait_in_thread, NULL) == 0);
    CHECK_STATUS(PHX_INVALID, phx_sam_register(NULL));
    _exit(0);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}
#else
static void refuses_threads(void) {} /* That sanitizer has a thread, so it is not refused there. */
#endif

int main(void) {
  restarts_what_was_killed();
  CHECK(run_once(sam_options(PHX_SAM_QUIT, 0), NULL, abort_itself) == 128 + SIGABRT);
  leaks_nothing();
  CHECK(run_once(sam_options(PHX_SAM_QUIT, 0), have_a_child, elder_is_gone) == 0);
  refuses_threads();
  return 0;
}

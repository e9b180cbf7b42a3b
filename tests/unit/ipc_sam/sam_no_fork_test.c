/* A supervisor that cannot fork the next instance: the host has no room for a process. */
#include <dlfcn.h>
#include <errno.h>

#include "tests/unit/ipc_sam/run.h"

static int forks_left = 2; /* The supervisor, and its first instance. */

/* The library's fork() is this one. */
pid_t fork(void) {
  if (forks_left-- > 0) {
    pid_t (*real)(void);
    *(void**)&real = dlsym(RTLD_NEXT, "fork");
    return real();
  }
  errno = EAGAIN;
  return -1;
}

static void lead_a_group(void) { CHECK(setpgid(0, 0) == 0); }

static int die(uint32_t instance) {
  (void)instance;
  raise(SIGKILL);
  return 1;
}

/* With nobody to pass it on to, a signal must not go to the whole process group: the supervisor is
 * in it, and would pass it on for ever. */
static void stops_while_it_waits_for_room(void) {
  phx_sam_options options = sam_options(PHX_SAM_RESTART, 0);
  options.restart_delay_ms = 20;
  options.restart_delay_max_ms = 600000;
  struct run run = run_start(options, lead_a_group, die);
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_FAILED);
  while (run_expect(&run, PHX_SAM_NOT_FORKED).restart_ms < 500) {
  }
  kill(run.supervisor, SIGHUP);
  kill(run.supervisor, SIGTERM);
  CHECK(run_end(&run) == 128 + SIGKILL);
}

int main(void) {
  signal(SIGTERM, SIG_DFL); /* Whatever a shell's background job ignores. */
  stops_while_it_waits_for_room();
  return 0;
}

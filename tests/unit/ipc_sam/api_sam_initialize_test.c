#include "tests/unit/ipc_sam/run.h"

#define REFUSED(status, ...)                                \
  do {                                                      \
    phx_sam_options o = sam_options(PHX_SAM_RESTART, 1000); \
    __VA_ARGS__;                                            \
    CHECK_STATUS((status), phx_sam_initialize(&o));         \
    CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_register(NULL));   \
  } while (0)

int main(void) {
  CHECK_STATUS(PHX_INVALID, phx_sam_initialize(NULL));
  REFUSED(PHX_INVALID, o.struct_bytes = 0);
  REFUSED(PHX_INVALID, o.struct_bytes--);
  REFUSED(PHX_INVALID, o.policy = (phx_sam_policy)0);
  REFUSED(PHX_INVALID, o.policy = (phx_sam_policy)3);
  REFUSED(PHX_INVALID, o.flags = 1u);
  REFUSED(PHX_INVALID, o.interval_ms = -1);
  REFUSED(PHX_INVALID, o.stop_ms = -1);
  REFUSED(PHX_INVALID, o.restart_delay_ms = -1);
  REFUSED(PHX_INVALID, o.restart_delay_max_ms = -1);
  REFUSED(PHX_INVALID, o.restart_delay_ms = 5; o.restart_delay_max_ms = 4);

  /* All that may be left at 0. */
  const phx_sam_options least = {.struct_bytes = sizeof least, .policy = PHX_SAM_QUIT};
  CHECK_STATUS(PHX_OK, phx_sam_initialize(&least));
  CHECK_STATUS(PHX_EXISTS, phx_sam_initialize(&least));
  CHECK_STATUS(PHX_OK, phx_sam_finalize());
  CHECK_STATUS(PHX_OK, phx_sam_initialize(&least));

  /* A child has a life of its own. */
  const pid_t child = fork();
  if (child == 0) {
    CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_finalize());
    CHECK_STATUS(PHX_OK, phx_sam_initialize(&least));
    _exit(0);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  return 0;
}

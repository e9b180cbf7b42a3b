#include "tests/unit/ipc_sam/run.h"

int main(void) {
  char bytes[8] = "unread.";
  const phx_sam_options options = sam_options(PHX_SAM_QUIT, 0);
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_data_restore(bytes, sizeof bytes));
  CHECK_STATUS(PHX_OK, phx_sam_initialize(&options));
  CHECK_STATUS(PHX_OK, phx_sam_data_restore(bytes, 0)); /* Nothing kept, nothing written. */
  CHECK_STATUS(PHX_OK, phx_sam_data_store("four", 4));
  CHECK_STATUS(PHX_INVALID, phx_sam_data_restore(NULL, 4));
  CHECK_STATUS(PHX_INVALID, phx_sam_data_restore(bytes, 3));
  CHECK(strcmp(bytes, "unread.") == 0);
  CHECK_STATUS(PHX_OK, phx_sam_data_restore(bytes, 4));
  CHECK(strcmp(bytes, "fourad.") == 0);
  CHECK_STATUS(PHX_OK, phx_sam_finalize());
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_data_restore(bytes, sizeof bytes));
  return 0;
}

#include "tests/unit/ipc_client/check.h"

int main(void) {
  for (int i = 0; i <= PHX_WRONG_LANE; ++i) {
    CHECK(strlen(phx_strerror((phx_status)i)) > 3);
    CHECK(strcmp(phx_strerror((phx_status)i), "unknown status") != 0);
    for (int k = 0; k < i; ++k)
      CHECK(strcmp(phx_strerror((phx_status)i), phx_strerror((phx_status)k)) != 0);
  }
  CHECK(strcmp(phx_strerror((phx_status)(PHX_WRONG_LANE + 1)), "unknown status") == 0);
  CHECK(strcmp(phx_strerror((phx_status)-1), "unknown status") == 0);
  return 0;
}

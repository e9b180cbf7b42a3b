#include "tests/unit/ipc_client/check.h"

#define NAMED(status) CHECK(strcmp(phx_status_name(status), #status) == 0)

int main(void) {
  NAMED(PHX_OK);
  NAMED(PHX_TRY_AGAIN);
  NAMED(PHX_TOO_BIG);
  NAMED(PHX_NOT_JOINED);
  NAMED(PHX_EXISTS);
  NAMED(PHX_NAME_TOO_LONG);
  NAMED(PHX_NAME_EMPTY);
  NAMED(PHX_BAD_HANDLE);
  NAMED(PHX_ACCESS);
  NAMED(PHX_DISCONNECTED);
  NAMED(PHX_EVICTED);
  NAMED(PHX_NOT_SUPPORTED);
  NAMED(PHX_INVALID);
  NAMED(PHX_NO_MEMORY);
  NAMED(PHX_LIMIT);
  NAMED(PHX_NOT_RUNNING);
  NAMED(PHX_VERSION);
  CHECK(strcmp(phx_status_name((phx_status)99), "PHX_UNKNOWN") == 0);
  return 0;
}

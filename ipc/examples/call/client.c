/* A client: one call, then events in a poll() loop. */
#include <phalanx/ipc_client.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service.h"

int main(int argc, char** argv) {
  phx_ipc_handle handle;
  example_check(phx_ipc_connect(example_name(argc, argv), kExampleService, NULL, &handle),
                "cannot connect");
  const char* text = "hello";
  char reply[64];
  size_t bytes = 0;
  example_check(
      phx_ipc_call(handle, kExampleEcho, text, strlen(text), reply, sizeof reply, &bytes, 5000),
      "cannot call");
  printf("reply: %.*s\n", (int)bytes, reply);

  int fd;
  example_check(phx_ipc_fd(handle, &fd), "no descriptor");
  example_check(phx_ipc_call(handle, kExampleTicks, NULL, 0, NULL, 0, NULL, 5000), "cannot call");
  for (int ticks = 0; ticks < 3;) {
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    if (poll(&readable, 1, 5000) != 1) return 1;
    phx_ipc_event event;
    phx_status status;
    while ((status = phx_ipc_get(handle, &event, 0)) == PHX_OK) {
      printf("event: %.*s\n", (int)event.bytes, (const char*)event.data);
      ++ticks;
      example_check(phx_ipc_put(handle), "cannot put");
    }
    if (status != PHX_TRY_AGAIN) example_check(status, "cannot get");
  }
  example_check(phx_ipc_disconnect(handle), "cannot disconnect");
  return 0;
}

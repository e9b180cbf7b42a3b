/*
 * admin_client SOCKET USER REQUEST...: asks a control plane as that user, over one connection and
 * without the command line. Each answer is a line of the output.
 */
#include <grp.h>
#include <phalanx/ipc_client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* See controlplane/admin_protocol.h: answers of one piece are enough here. */
enum { kService = 0x61646d01, kAsk = 0, kHeadBytes = 16, kTimeoutMs = 10000 };

static char reply[60 * 1024];

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const unsigned user = (unsigned)strtoul(argv[2], NULL, 10);
  if (setgroups(0, NULL) != 0 || setgid(user) != 0 || setuid(user) != 0) return 1;
  phx_ipc_handle handle;
  phx_status status = phx_ipc_connect(argv[1], kService, NULL, &handle);
  for (int i = 3; i < argc && status == PHX_OK; ++i) {
    size_t bytes = 0;
    status = phx_ipc_call(handle, kAsk, argv[i], strlen(argv[i]), reply, sizeof reply, &bytes,
                          kTimeoutMs);
    if (status != PHX_OK || bytes < kHeadBytes) break;
    printf("%.*s\n", (int)(bytes - kHeadBytes), reply + kHeadBytes);
  }
  if (status != PHX_OK) fprintf(stderr, "%s\n", phx_strerror(status));
  return status == PHX_OK ? 0 : 1;
}

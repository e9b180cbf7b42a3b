#include "service.h"

#include <stdio.h>
#include <stdlib.h>

static void echo(void* context, phx_ipc_server* server, const phx_ipc_message* m) {
  (void)context;
  /* The client may write to m->data while this runs: it gets back what it then deserves. */
  phx_ipc_reply_send(server, m->connection, m->request, m->data, m->bytes);
}

static void ticks(void* context, phx_ipc_server* server, const phx_ipc_message* m) {
  (void)context;
  for (int i = 1; i <= 3; ++i) {
    char text[16];
    const int length = snprintf(text, sizeof text, "tick %d", i);
    phx_ipc_dispatch(server, m->connection, 0, text, (size_t)length);
  }
  phx_ipc_reply_send(server, m->connection, m->request, NULL, 0);
}

static void say(void* context, int level, const char* text) {
  (void)context;
  fprintf(stderr, "<%d>%s\n", level, text);
}

void example_service(phx_ipc_server_options* options, void* context) {
  static const phx_ipc_handler handlers[] = {
      [kExampleEcho] = {.handle = echo}, [kExampleTicks] = {.handle = ticks}};
  static const phx_ipc_service service = {
      .service = kExampleService, .handlers = handlers, .handler_count = 2};
  *options = (phx_ipc_server_options){.struct_bytes = sizeof *options,
                                      .services = &service,
                                      .service_count = 1,
                                      .context = context,
                                      .hooks = {.log = say}};
}

const char* example_name(int argc, char** argv) {
  if (argc == 2) return argv[1];
  fprintf(stderr, "usage: %s SERVER-NAME\n", argv[0]);
  exit(2);
}

void example_check(phx_status status, const char* what) {
  if (status == PHX_OK) return;
  fprintf(stderr, "error: %s: %s\n", what, phx_strerror(status));
  exit(1);
}

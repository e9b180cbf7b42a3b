/* The logic of an echo server in two kinds of processes: what network processes (echo_io.c) post
 * comes back to each as events. It knows no socket; a crash of one of those costs the others
 * nothing, and one that does not read its events is evicted. */
#include <phalanx/ipc_server.h>
#include <signal.h>
#include <stdio.h>

#include "echo.h"

static phx_ipc_server* server;

static void echo(void* context, phx_ipc_server* from, const phx_ipc_message* m) {
  (void)context;
  struct echo_header header;
  if (m->bytes < sizeof header) return;
  memcpy(&header, m->data, sizeof header);
  const char* text = (const char*)m->data + sizeof header;
  phx_ipc_dispatch(from, m->connection, header.peer, text, m->bytes - sizeof header);
}

static void stop(int signal) {
  (void)signal;
  phx_ipc_server_stop(server);
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s SERVER-NAME\n", argv[0]);
    return 2;
  }
  static const phx_ipc_handler handlers[] = {[kEchoText] = {.handle = echo}};
  static const phx_ipc_service service = {
      .service = kEchoService, .handlers = handlers, .handler_count = 1};
  const phx_ipc_server_options options = {
      .struct_bytes = sizeof options, .services = &service, .service_count = 1};
  phx_status status = phx_ipc_server_create(argv[1], &options, &server);
  if (status == PHX_OK) {
    signal(SIGTERM, stop);
    puts("ready");
    fflush(stdout);
    status = phx_ipc_server_run(server);
  }
  if (status == PHX_OK) status = phx_ipc_server_destroy(server);
  if (status != PHX_OK) fprintf(stderr, "error: %s\n", phx_strerror(status));
  return status == PHX_OK ? 0 : 1;
}

/* The least there is to a server and its client: `hello serve NAME`, then `hello NAME`. */
#include <phalanx/ipc_client.h>
#include <phalanx/ipc_server.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { kHelloService = 1, kGreet = 0 };

static phx_ipc_server* server;

static void greet(void* context, phx_ipc_server* from, const phx_ipc_message* m) {
  (void)context;
  char text[64];
  const int length = snprintf(text, sizeof text, "hello %.*s", (int)m->bytes, (const char*)m->data);
  const size_t bytes = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
  phx_ipc_reply_send(from, m->connection, m->request, text, bytes);
}

static void stop(int signal) {
  (void)signal;
  phx_ipc_server_stop(server);
}

static phx_status serve(const char* name) {
  static const phx_ipc_handler handlers[] = {[kGreet] = {.handle = greet}};
  static const phx_ipc_service service = {
      .service = kHelloService, .handlers = handlers, .handler_count = 1};
  const phx_ipc_server_options options = {
      .struct_bytes = sizeof options, .services = &service, .service_count = 1};
  phx_status status = phx_ipc_server_create(name, &options, &server);
  if (status != PHX_OK) return status;
  signal(SIGTERM, stop);
  puts("ready");
  fflush(stdout);
  status = phx_ipc_server_run(server);
  return status == PHX_OK ? phx_ipc_server_destroy(server) : status;
}

static phx_status ask(const char* name) {
  phx_ipc_handle handle;
  phx_status status = phx_ipc_connect(name, kHelloService, NULL, &handle);
  if (status != PHX_OK) return status;
  char reply[64];
  size_t bytes = 0;
  status = phx_ipc_call(handle, kGreet, "world", 5, reply, sizeof reply, &bytes, 5000);
  if (status == PHX_OK) printf("%.*s\n", (int)bytes, reply);
  phx_ipc_disconnect(handle);
  return status;
}

int main(int argc, char** argv) {
  const int serves = argc == 3 && strcmp(argv[1], "serve") == 0;
  if (!serves && argc != 2) {
    fprintf(stderr, "usage: %s [serve] SERVER-NAME\n", argv[0]);
    return 2;
  }
  const phx_status status = serves ? serve(argv[2]) : ask(argv[1]);
  if (status != PHX_OK) fprintf(stderr, "error: %s\n", phx_strerror(status));
  return status == PHX_OK ? 0 : 1;
}

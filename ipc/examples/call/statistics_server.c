/* A server that counts in a page of shared memory: `statistics_server SERVER-NAME PAGE-FILE`. */
#include <fcntl.h>
#include <phalanx/ipc_server.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "statistics.h"

static phx_ipc_server* server;
static struct statistics_page* page;
static const char* path;

static void work(void* context, phx_ipc_server* from, const phx_ipc_message* m) {
  (void)context;
  statistics_add(page, m->bytes);
  phx_ipc_reply_send(from, m->connection, m->request, m->data, m->bytes);
}

static void tell_path(void* context, phx_ipc_server* from, const phx_ipc_message* m) {
  (void)context;
  phx_ipc_reply_send(from, m->connection, m->request, path, strlen(path));
}

static void stop(int signal) {
  (void)signal;
  phx_ipc_server_stop(server);
}

/* The file gets its name when it is whole: nobody maps half a page. */
static int make_page(void) {
  char fresh[4096];
  if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh) return 0;
  const int fd = open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0 || ftruncate(fd, sizeof *page) != 0) return 0;
  page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (page == MAP_FAILED) return 0;
  page->bytes = sizeof *page;
  return rename(fresh, path) == 0;
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s SERVER-NAME PAGE-FILE\n", argv[0]);
    return 2;
  }
  path = argv[2];
  if (!make_page()) {
    perror(path);
    return 1;
  }
  static const phx_ipc_handler handlers[] = {
      [kStatisticsWork] = {.handle = work}, [kStatisticsPath] = {.handle = tell_path}};
  static const phx_ipc_service service = {
      .service = kStatisticsService, .handlers = handlers, .handler_count = 2};
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
  unlink(path);
  return status == PHX_OK ? 0 : 1;
}

/* Looks at the page of statistics_server.c: `statistics_viewer SERVER-NAME [CALLS]` asks once where
 * it is, does so many calls of work, and prints the counters, which cost the server nothing. */
#include <fcntl.h>
#include <inttypes.h>
#include <phalanx/ipc_client.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "statistics.h"

static void check(phx_status status, const char* what) {
  if (status == PHX_OK) return;
  fprintf(stderr, "error: %s: %s\n", what, phx_strerror(status));
  exit(1);
}

static struct statistics_page* open_page(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat file;
  if (fd < 0 || fstat(fd, &file) != 0 || file.st_size != sizeof(struct statistics_page)) {
    fprintf(stderr, "error: %s is no statistics page of this version\n", path);
    exit(1);
  }
  void* page = mmap(NULL, sizeof(struct statistics_page), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (page == MAP_FAILED) {
    perror(path);
    exit(1);
  }
  return page;
}

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    fprintf(stderr, "usage: %s SERVER-NAME [CALLS]\n", argv[0]);
    return 2;
  }
  phx_ipc_handle handle;
  check(phx_ipc_connect(argv[1], kStatisticsService, NULL, &handle), "cannot connect");
  char path[4096];
  size_t bytes = 0;
  check(phx_ipc_call(handle, kStatisticsPath, NULL, 0, path, sizeof path - 1, &bytes, 5000),
        "cannot ask for the page");
  path[bytes] = '\0';
  struct statistics_page* page = open_page(path);
  for (long i = argc == 3 ? strtol(argv[2], NULL, 10) : 0; i > 0; --i) {
    char reply[8];
    check(phx_ipc_call(handle, kStatisticsWork, "12345678", 8, reply, sizeof reply, NULL, 5000),
          "cannot call");
  }
  uint64_t requests, request_bytes;
  statistics_read(page, &requests, &request_bytes);
  printf("requests %" PRIu64 ", bytes %" PRIu64 "\n", requests, request_bytes);
  check(phx_ipc_disconnect(handle), "cannot disconnect");
  munmap(page, sizeof *page);
  return 0;
}

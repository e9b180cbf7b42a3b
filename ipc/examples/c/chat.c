/* chat GROUP: sends each line of standard input to a group and prints what the group says.
 *
 * The pattern: a poll() loop of one's own over phx_fd() and another descriptor. */
#include <phalanx/phalanx.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void on_message(void* context, phx_handle handle, const phx_message* message) {
  (void)context, (void)handle;
  printf("%u.%u: %.*s\n", message->node, message->client, (int)message->bytes,
         (const char*)message->data);
}

static void on_group_view(void* context, phx_handle handle, const phx_group_view* view) {
  (void)context, (void)handle;
  printf("* %zu members (%zu left, %zu joined)\n", view->member_count, view->left_count,
         view->joined_count);
}

static void on_connection(void* context, phx_handle handle, const phx_connection* connection) {
  (void)context, (void)handle;
  if (connection->event == PHX_EVENT_DISCONNECTED) printf("* disconnected, coming back\n");
  if (connection->event == PHX_EVENT_ATTACHED) printf("* attached again\n");
  if (connection->event == PHX_EVENT_EVICTED) printf("* too slow: out of the group\n");
}

static int fail(const char* what, phx_status status) {
  fprintf(stderr, "chat: %s: %s (%s)\n", what, phx_strerror(status), phx_status_name(status));
  return 1;
}

/* Sends one line; while the ring is full, dispatching is what makes room. */
static phx_status say(phx_handle handle, phx_group group, char* line) {
  const struct iovec part = {.iov_base = line, .iov_len = strcspn(line, "\n")};
  phx_status status;
  while ((status = phx_multicast(handle, group, &part, 1, PHX_AGREED)) == PHX_TRY_AGAIN) {
    status = phx_dispatch(handle, PHX_DISPATCH_ALL, 100);
    if (status != PHX_OK && status != PHX_TRY_AGAIN) break;
  }
  return status;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: chat GROUP\n");
    return 2;
  }
  const phx_options options = {
      .struct_bytes = sizeof options,
      .callbacks = {
          .message = on_message, .group_view = on_group_view, .connection = on_connection}};
  phx_handle handle;
  phx_group group;
  int fd;
  phx_status status = phx_initialize(&options, &handle);
  if (status != PHX_OK) return fail("cannot attach", status);
  if ((status = phx_join(handle, argv[1], strlen(argv[1]), &group)) != PHX_OK) {
    return fail("cannot join", status);
  }
  if ((status = phx_fd(handle, &fd)) != PHX_OK) return fail("cannot wait", status);
  setvbuf(stdout, NULL, _IOLBF, 0);

  char line[4096];
  struct pollfd waits[] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
  while (poll(waits, 2, -1) > 0) {
    if (waits[0].revents != 0) (void)phx_dispatch(handle, PHX_DISPATCH_ALL, 0);
    if (waits[1].revents == 0) continue;
    if (fgets(line, sizeof line, stdin) == NULL) break;
    if ((status = say(handle, group, line)) != PHX_OK) return fail("cannot send", status);
  }
  phx_leave(handle, group);
  (void)phx_dispatch(handle, PHX_DISPATCH_FOREVER, 200); /* Our own last lines. */
  return phx_finalize(handle) == PHX_OK ? 0 : 1;
}

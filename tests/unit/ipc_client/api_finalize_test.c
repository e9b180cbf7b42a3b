#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/ipc_client/check.h"

static void every_call_on_a_finalised_handle_is_told_so(const fake_server* server) {
  struct client* c = client_attach(server);
  const phx_group group = client_join(c, "words");
  const phx_handle old = c->handle;
  client_detach(c);

  phx_group other = 0;
  phx_member id;
  phx_flow flow;
  phx_limit_values limits;
  size_t count = 0;
  int fd = -1;
  const phx_handle stale[] = {old, 0, 12345, UINT64_MAX};
  for (size_t i = 0; i < sizeof stale / sizeof stale[0]; ++i) {
    const phx_handle h = stale[i];
    CHECK_STATUS(PHX_BAD_HANDLE, phx_finalize(h));
    CHECK_STATUS(PHX_BAD_HANDLE, phx_join(h, "words", 5, &other));
    CHECK_STATUS(PHX_BAD_HANDLE, phx_open(h, "words", 5, &other));
    CHECK_STATUS(PHX_BAD_HANDLE, phx_leave(h, group));
    CHECK_STATUS(PHX_BAD_HANDLE, phx_close(h, group));
    CHECK_STATUS(PHX_BAD_HANDLE, phx_multicast(h, group, NULL, 0, PHX_AGREED));
    CHECK_STATUS(PHX_BAD_HANDLE, phx_dispatch(h, PHX_DISPATCH_ALL, 0));
    CHECK_STATUS(PHX_BAD_HANDLE, phx_fd(h, &fd));
    CHECK_STATUS(PHX_BAD_HANDLE, phx_membership(h, group, NULL, 0, &count));
    CHECK_STATUS(PHX_BAD_HANDLE, phx_local_id(h, &id));
    CHECK_STATUS(PHX_BAD_HANDLE, phx_flow_state(h, &flow));
    CHECK_STATUS(PHX_BAD_HANDLE, phx_limits(h, &limits));
  }
}

static void finalise_in_message(void* context, phx_handle handle, const phx_message* message) {
  (void)message;
  CHECK_STATUS(PHX_OK, phx_finalize(handle));
  CHECK_STATUS(PHX_BAD_HANDLE, phx_finalize(handle));
  CHECK_STATUS(PHX_BAD_HANDLE, phx_dispatch(handle, PHX_DISPATCH_ALL, 0));
  CHECK(message->bytes == 2 && memcmp(message->data, "hi", 2) == 0);
  ++*(int*)context;
}

static void a_callback_may_finalise(const fake_server* server) {
  int calls = 0;
  phx_options options = {.struct_bytes = sizeof options,
                         .runtime_directory = fake_server_directory(server),
                         .callbacks = {.message = finalise_in_message},
                         .context = &calls};
  phx_handle handle = 0;
  phx_group group = 0;
  CHECK_STATUS(PHX_OK, phx_initialize(&options, &handle));
  CHECK_STATUS(PHX_OK, phx_join(handle, "words", 5, &group));
  const struct iovec part = {.iov_base = (char[]){"hi"}, .iov_len = 2};
  CHECK_STATUS(PHX_OK, phx_multicast(handle, group, &part, 1, PHX_AGREED));
  CHECK_STATUS(PHX_OK, phx_multicast(handle, group, &part, 1, PHX_AGREED));
  CHECK_STATUS(PHX_BAD_HANDLE, phx_dispatch(handle, PHX_DISPATCH_FOREVER, 10000));
  CHECK(calls == 1);
}

static void* wait_for_ever(void* context) {
  const phx_handle* handle = context;
  CHECK_STATUS(PHX_BAD_HANDLE, phx_dispatch(*handle, PHX_DISPATCH_FOREVER, -1));
  return NULL;
}

static void a_waiting_dispatch_is_woken(const fake_server* server) {
  struct client* c = client_attach(server);
  UNTIL(c, node_views, 1);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, wait_for_ever, &c->handle) == 0);
  usleep(20000);
  CHECK_STATUS(PHX_OK, phx_finalize(c->handle));
  CHECK(pthread_join(thread, NULL) == 0);
  free(c);
}

/* The child must neither use the parent's rings nor keep its socket open. */
static void a_child_of_fork_has_no_handles(fake_server* server) {
  struct client* c = client_attach(server);
  int fd = -1;
  CHECK_STATUS(PHX_OK, phx_fd(c->handle, &fd));
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) _exit(phx_dispatch(c->handle, PHX_DISPATCH_ALL, 0) == PHX_BAD_HANDLE ? 0 : 1);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  (void)client_join(c, "words");
  client_detach(c);
}

static void its_memberships_end(fake_server* server) {
  struct client* stays = client_attach(server);
  struct client* goes = client_attach(server);
  (void)client_join(stays, "words");
  (void)client_join(goes, "words");
  UNTIL(stays, group_views, 2);
  client_detach(goes);
  UNTIL(stays, group_views, 3);
  CHECK(stays->view_left.reason == PHX_REASON_DIED && stays->view.member_count == 1);
  client_detach(stays);
}

int main(void) {
  fake_server* server = fake_server_start(NULL);
  every_call_on_a_finalised_handle_is_told_so(server);
  a_callback_may_finalise(server);
  a_waiting_dispatch_is_woken(server);
  a_child_of_fork_has_no_handles(server);
  its_memberships_end(server);
  fake_server_stop(server);
  return 0;
}

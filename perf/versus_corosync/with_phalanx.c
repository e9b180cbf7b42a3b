#include <phalanx/phalanx.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "perf/versus_corosync/client.h"

static phx_handle handle;
static phx_group group;

static void check(phx_status status, const char* what) {
  if (status == PHX_OK) return;
  fprintf(stderr, "%s: %s\n", what, phx_strerror(status));
  exit(1);
}

static void on_message(void* context, phx_handle of, const phx_message* message) {
  (void)of;
  client_delivered(context, message->node, message->data, message->bytes);
}

static void on_group_view(void* context, phx_handle of, const phx_group_view* view) {
  (void)of;
  client_view(context, view->member_count);
}

void backend_open(struct client* client, const char* place) {
  const phx_options options = {
      .struct_bytes = sizeof options,
      .callbacks = {.message = on_message, .group_view = on_group_view},
      .context = client,
      .instance = place,
  };
  check(phx_initialize(&options, &handle), "phx_initialize");
  check(phx_join(handle, "versus", 6, &group), "phx_join");
}

int backend_send(const void* data, size_t bytes, int safe) {
  const struct iovec part = {.iov_base = (void*)(size_t)data, .iov_len = bytes};
  const phx_status status = phx_multicast(handle, group, &part, 1, safe ? PHX_SAFE : PHX_AGREED);
  if (status != PHX_OK && status != PHX_TRY_AGAIN) check(status, "phx_multicast");
  return status == PHX_OK;
}

void backend_dispatch(int wait_ms) {
  const phx_status status = phx_dispatch(handle, PHX_DISPATCH_ALL, wait_ms);
  if (status != PHX_TRY_AGAIN) check(status, "phx_dispatch");
}

void backend_close(void) { phx_finalize(handle); }

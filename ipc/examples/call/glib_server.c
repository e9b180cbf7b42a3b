/* A server in a main loop of GLib's. */
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "service.h"

struct watch {
  guint source;
  phx_ipc_ready ready;
  void* data;
};
static GHashTable* watched; /* By descriptor. */
static phx_ipc_server* server;

static gboolean on_fd(gint fd, GIOCondition what, gpointer argument) {
  (void)argument;
  const struct watch* found = g_hash_table_lookup(watched, GINT_TO_POINTER(fd));
  const struct watch w = *found; /* It may be destroyed while its callback runs. */
  const short revents =
      (short)(((what & (G_IO_IN | G_IO_HUP)) ? POLLIN : 0) | ((what & G_IO_OUT) ? POLLOUT : 0));
  w.ready(server, fd, revents, w.data);
  return G_SOURCE_CONTINUE;
}

static guint source_of(int fd, short events) {
  GIOCondition condition = 0;
  if (events & POLLIN) condition |= G_IO_IN | G_IO_HUP;
  if (events & POLLOUT) condition |= G_IO_OUT;
  return g_unix_fd_add(fd, condition, on_fd, NULL);
}

static int add(void* context, int fd, short events, phx_ipc_ready ready, void* data) {
  (void)context;
  struct watch* w = g_new(struct watch, 1);
  *w = (struct watch){source_of(fd, events), ready, data};
  g_hash_table_insert(watched, GINT_TO_POINTER(fd), w);
  return 0;
}

static int modify(void* context, int fd, short events) {
  (void)context;
  struct watch* w = g_hash_table_lookup(watched, GINT_TO_POINTER(fd));
  g_source_remove(w->source);
  w->source = source_of(fd, events);
  return 0;
}

static void destroy(void* context, int fd) {
  (void)context;
  const struct watch* w = g_hash_table_lookup(watched, GINT_TO_POINTER(fd));
  g_source_remove(w->source);
  g_hash_table_remove(watched, GINT_TO_POINTER(fd));
}

static gboolean on_stop(gpointer loop) {
  g_main_loop_quit(loop);
  return G_SOURCE_CONTINUE;
}

int main(int argc, char** argv) {
  GMainLoop* loop = g_main_loop_new(NULL, FALSE);
  const guint stop = g_unix_signal_add(SIGTERM, on_stop, loop);
  watched = g_hash_table_new_full(NULL, NULL, NULL, g_free);

  phx_ipc_server_options options;
  example_service(&options, NULL);
  options.hooks.poll_add = add;
  options.hooks.poll_modify = modify;
  options.hooks.poll_destroy = destroy;
  example_check(phx_ipc_server_create(example_name(argc, argv), &options, &server),
                "cannot make the server");
  puts("ready");
  fflush(stdout);

  g_main_loop_run(loop);
  example_check(phx_ipc_server_destroy(server), "cannot end the server");
  g_source_remove(stop);
  g_hash_table_destroy(watched);
  g_main_loop_unref(loop);
  return 0;
}

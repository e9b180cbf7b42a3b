/* A server in a loop of libevent's. */
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "service.h"

enum { kFdMax = 1024 };

struct watch {
  struct event* event;
  phx_ipc_ready ready;
  void* data;
};
static struct event_base* base;
static phx_ipc_server* server;
static struct watch watched[kFdMax];

static void on_event(evutil_socket_t fd, short what, void* argument) {
  (void)argument;
  const struct watch w = watched[fd]; /* It may be destroyed while its callback runs. */
  const short revents =
      (short)(((what & EV_READ) ? POLLIN : 0) | ((what & EV_WRITE) ? POLLOUT : 0));
  w.ready(server, fd, revents, w.data);
}

static short flags_of(short events) {
  return (short)(EV_PERSIST | ((events & POLLIN) ? EV_READ : 0) |
                 ((events & POLLOUT) ? EV_WRITE : 0));
}

static int add(void* context, int fd, short events, phx_ipc_ready ready, void* data) {
  (void)context;
  if (fd >= kFdMax) return -1;
  struct event* event = event_new(base, fd, flags_of(events), on_event, NULL);
  if (event == NULL) return -1;
  watched[fd] = (struct watch){event, ready, data};
  return event_add(event, NULL);
}

static int modify(void* context, int fd, short events) {
  (void)context;
  struct event* event = watched[fd].event;
  event_del(event);
  event_assign(event, base, fd, flags_of(events), on_event, NULL);
  return event_add(event, NULL);
}

static void destroy(void* context, int fd) {
  (void)context;
  event_free(watched[fd].event);
  watched[fd] = (struct watch){NULL, NULL, NULL};
}

static void on_signal(evutil_socket_t number, short what, void* argument) {
  (void)number, (void)what, (void)argument;
  event_base_loopbreak(base);
}

int main(int argc, char** argv) {
  base = event_base_new();
  struct event* stop = evsignal_new(base, SIGTERM, on_signal, NULL);
  event_add(stop, NULL);

  phx_ipc_server_options options;
  example_service(&options, NULL);
  options.hooks.poll_add = add;
  options.hooks.poll_modify = modify;
  options.hooks.poll_destroy = destroy;
  example_check(phx_ipc_server_create(example_name(argc, argv), &options, &server),
                "cannot make the server");
  puts("ready");
  fflush(stdout);

  event_base_dispatch(base);
  example_check(phx_ipc_server_destroy(server), "cannot end the server");
  event_free(stop);
  event_base_free(base);
  libevent_global_shutdown();
  return 0;
}

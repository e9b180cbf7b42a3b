/* A server in an epoll loop of the application's own, which has other things to watch as well: here
 * a signalfd. The library calls the three hooks; the loop calls back what it was given. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "service.h"

enum { kFdMax = 1024 };

struct loop {
  int epoll;
  struct {
    phx_ipc_ready ready;
    void* data;
  } watched[kFdMax];
};

static struct epoll_event event_of(int fd, short events) {
  struct epoll_event event = {.data.fd = fd};
  if (events & POLLIN) event.events |= EPOLLIN;
  if (events & POLLOUT) event.events |= EPOLLOUT;
  return event;
}

static int add(void* context, int fd, short events, phx_ipc_ready ready, void* data) {
  struct loop* loop = context;
  if (fd >= kFdMax) return -1;
  loop->watched[fd].ready = ready;
  loop->watched[fd].data = data;
  struct epoll_event event = event_of(fd, events);
  return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event);
}

static int modify(void* context, int fd, short events) {
  struct loop* loop = context;
  struct epoll_event event = event_of(fd, events);
  return epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event);
}

static void destroy(void* context, int fd) {
  struct loop* loop = context;
  loop->watched[fd].ready = NULL; /* An event of it may be among those just got. */
  epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
}

int main(int argc, char** argv) {
  static struct loop loop;
  loop.epoll = epoll_create1(EPOLL_CLOEXEC);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  const int stop = signalfd(-1, &signals, SFD_CLOEXEC);
  struct epoll_event on_stop = {.events = EPOLLIN, .data.fd = stop};
  epoll_ctl(loop.epoll, EPOLL_CTL_ADD, stop, &on_stop);

  phx_ipc_server_options options;
  example_service(&options, &loop);
  options.hooks.poll_add = add;
  options.hooks.poll_modify = modify;
  options.hooks.poll_destroy = destroy;
  phx_ipc_server* server;
  example_check(phx_ipc_server_create(example_name(argc, argv), &options, &server),
                "cannot make the server");
  puts("ready");
  fflush(stdout);

  for (int stopped = 0; !stopped;) {
    struct epoll_event events[16];
    const int count = epoll_wait(loop.epoll, events, 16, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == stop) {
        stopped = 1;
      } else if (loop.watched[fd].ready != NULL) {
        const short revents = (events[i].events & EPOLLOUT) != 0 ? POLLIN | POLLOUT : POLLIN;
        loop.watched[fd].ready(server, fd, revents, loop.watched[fd].data);
      }
    }
  }
  example_check(phx_ipc_server_destroy(server), "cannot end the server");
  close(stop);
  close(loop.epoll);
  return 0;
}

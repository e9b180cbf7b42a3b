/* A network process of the echo server: `echo_io SERVER-NAME [PORT]` accepts connections in a loop
 * of libevent's, posts what they send to the logic (echo_logic.c) and sends them the events that
 * come back. Start as many as there are cores. Prints the port it listens on. */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <phalanx/ipc_client.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo.h"

enum { kPeersMax = 256, kPieceBytes = 4096, kUnsentMax = 1 << 20 };

/* A peer's number is its place and how often that was used, so that late text finds nobody. */
struct peer {
  struct bufferevent* socket;
  uint32_t number;
};
static struct peer peers[kPeersMax];
static struct event_base* base;
static phx_ipc_handle logic;

static void check(phx_status status, const char* what) {
  if (status == PHX_OK) return;
  fprintf(stderr, "error: %s: %s\n", what, phx_strerror(status));
  exit(1);
}

static void forget(struct peer* peer) {
  bufferevent_free(peer->socket);
  peer->socket = NULL;
  peer->number += kPeersMax;
}

static void on_read(struct bufferevent* socket, void* argument) {
  const struct peer* peer = argument;
  char piece[kPieceBytes];
  size_t count;
  while ((count = bufferevent_read(socket, piece, sizeof piece)) > 0) {
    struct echo_header header = {.peer = peer->number};
    const struct iovec parts[] = {{&header, sizeof header}, {piece, count}};
    /* Until the logic has room, nobody is read from: that is all the flow control it takes. */
    check(phx_ipc_post(logic, kEchoText, parts, 2, -1), "cannot post");
  }
}

static void on_end(struct bufferevent* socket, short what, void* argument) {
  (void)socket, (void)what;
  forget(argument);
}

static void on_accept(evutil_socket_t listener, short what, void* argument) {
  (void)what, (void)argument;
  const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  struct peer* peer = peers;
  while (peer < peers + kPeersMax && peer->socket != NULL) ++peer;
  if (peer < peers + kPeersMax)
    peer->socket = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
  if (peer == peers + kPeersMax || peer->socket == NULL) {
    close(fd);
    return;
  }
  bufferevent_setcb(peer->socket, on_read, NULL, on_end, peer);
  bufferevent_enable(peer->socket, EV_READ | EV_WRITE);
}

static void on_events(evutil_socket_t fd, short what, void* argument) {
  (void)fd, (void)what, (void)argument;
  phx_ipc_event events[64];
  size_t count = 0;
  phx_status status;
  while ((status = phx_ipc_get_batch(logic, events, 64, &count, 0)) == PHX_OK) {
    for (size_t i = 0; i < count; ++i) {
      struct peer* peer = &peers[events[i].id % kPeersMax];
      if (peer->socket == NULL || peer->number != events[i].id) continue;
      bufferevent_write(peer->socket, events[i].data, events[i].bytes);
      /* One that sends and does not read is not to fill our memory. */
      if (evbuffer_get_length(bufferevent_get_output(peer->socket)) > kUnsentMax) forget(peer);
    }
    check(phx_ipc_put(logic), "cannot put");
  }
  if (status != PHX_TRY_AGAIN) check(status, "the logic is gone");
}

static void on_signal(evutil_socket_t number, short what, void* argument) {
  (void)number, (void)what, (void)argument;
  event_base_loopbreak(base);
}

static int listen_on(unsigned port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t bytes = sizeof address;
  if (fd < 0 || bind(fd, (struct sockaddr*)&address, bytes) != 0 || listen(fd, 64) != 0 ||
      getsockname(fd, (struct sockaddr*)&address, &bytes) != 0) {
    perror("cannot listen");
    exit(1);
  }
  printf("%u\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    fprintf(stderr, "usage: %s SERVER-NAME [PORT]\n", argv[0]);
    return 2;
  }
  for (uint32_t i = 0; i < kPeersMax; ++i) peers[i].number = i;
  check(phx_ipc_connect(argv[1], kEchoService, NULL, &logic), "cannot connect to the logic");
  int events = -1;
  check(phx_ipc_fd(logic, &events), "no descriptor");
  const int listener = listen_on(argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0);

  base = event_base_new();
  struct event* all[] = {event_new(base, events, EV_READ | EV_PERSIST, on_events, NULL),
                         event_new(base, listener, EV_READ | EV_PERSIST, on_accept, NULL),
                         evsignal_new(base, SIGTERM, on_signal, NULL)};
  for (size_t i = 0; i < 3; ++i) event_add(all[i], NULL);
  on_events(events, 0, NULL); /* From here on the descriptor tells of what comes. */
  event_base_dispatch(base);

  for (struct peer* peer = peers; peer < peers + kPeersMax; ++peer) {
    if (peer->socket != NULL) forget(peer);
  }
  for (size_t i = 0; i < 3; ++i) event_free(all[i]);
  event_base_free(base);
  close(listener);
  check(phx_ipc_disconnect(logic), "cannot disconnect");
  libevent_global_shutdown();
  return 0;
}

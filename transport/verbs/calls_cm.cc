#include <fcntl.h>
#include <poll.h>
#include <rdma/rdma_cma.h>

#include <cerrno>

#include "transport/verbs/calls.h"
#include "transport/verbs/socket_address.h"

namespace phalanx::transport::verbs::calls {

struct Cm {
  rdma_event_channel* channel = nullptr;
  rdma_cm_id* id = nullptr;
};

namespace {

/// Leaves errno as it is.
Cm* given_up(Cm* cm) {
  const int error = errno;
  close_cm(cm);
  errno = error;
  return nullptr;
}

}  // namespace

Cm* open_cm(const ibv_gid& address, CmPlace* out) {
  auto* cm = new Cm;
  cm->channel = rdma_create_event_channel();
  if (cm->channel == nullptr) return given_up(cm);
  const int flags = fcntl(cm->channel->fd, F_GETFL);
  if (flags < 0 || fcntl(cm->channel->fd, F_SETFL, flags | O_NONBLOCK) != 0) return given_up(cm);
  if (rdma_create_id(cm->channel, &cm->id, nullptr, RDMA_PS_UDP) != 0) return given_up(cm);
  SocketAddress own(address, 0);
  if (rdma_bind_addr(cm->id, own.get()) != 0) return given_up(cm);
  if (cm->id->verbs == nullptr) {  // An address of this host, but of no RDMA port.
    errno = ENODEV;
    return given_up(cm);
  }
  const rdma_ib_addr& at = cm->id->route.addr.addr.ibaddr;
  *out = {.device = ibv_get_device_name(cm->id->verbs->device),
          .port = cm->id->port_num,
          .gid = at.sgid,
          .pkey = ntohs(at.pkey)};
  return cm;
}

void close_cm(Cm* cm) {
  if (cm->id != nullptr) rdma_destroy_id(cm->id);
  if (cm->channel != nullptr) rdma_destroy_event_channel(cm->channel);
  delete cm;
}

int join_cm(Cm* cm, const ibv_gid& group) {
  SocketAddress at(group, 0);
  return rdma_join_multicast(cm->id, at.get(), nullptr) == 0 ? 0 : errno;
}

void leave_cm(Cm* cm, const ibv_gid& group) {
  SocketAddress at(group, 0);
  (void)rdma_leave_multicast(cm->id, at.get());
}

bool take_cm_event(Cm* cm, int wait_ms, CmEvent* out) {
  pollfd ready{.fd = cm->channel->fd, .events = POLLIN, .revents = 0};
  for (;;) {
    rdma_cm_event* event = nullptr;
    if (poll(&ready, 1, wait_ms) != 1 || rdma_get_cm_event(cm->channel, &event) != 0) return false;
    const rdma_cm_event_type type = event->event;
    *out = {.error = event->status, .group = event->param.ud.ah_attr};
    rdma_ack_cm_event(event);
    if (type == RDMA_CM_EVENT_MULTICAST_JOIN) return true;
    if (type == RDMA_CM_EVENT_MULTICAST_ERROR) {
      if (out->error == 0) out->error = ECONNREFUSED;
      return true;
    }
  }  // Of the address or the device: the port's own events say it, too.
}

}  // namespace phalanx::transport::verbs::calls

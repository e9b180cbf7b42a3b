#include "transport/verbs/calls.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "transport/verbs/gid.h"
#include "transport/verbs/socket_address.h"

namespace phalanx::transport::verbs::calls {

ibv_device** get_device_list(int* count) { return ibv_get_device_list(count); }
void free_device_list(ibv_device** list) { ibv_free_device_list(list); }
const char* get_device_name(ibv_device* device) { return ibv_get_device_name(device); }
ibv_context* open_device(ibv_device* device) { return ibv_open_device(device); }
int close_device(ibv_context* context) { return ibv_close_device(context); }
int query_device(ibv_context* context, ibv_device_attr* out) {
  return ibv_query_device(context, out);
}
int query_port(ibv_context* context, std::uint8_t port, ibv_port_attr* out) {
  return ibv_query_port(context, port, out);
}
int query_pkey(ibv_context* context, std::uint8_t port, int index, std::uint16_t* out) {
  __be16 key = 0;
  const int result = ibv_query_pkey(context, port, index, &key);
  *out = ntohs(key);
  return result;
}
ssize_t query_gid_table(ibv_context* context, ibv_gid_entry* out, std::size_t room) {
  return ibv_query_gid_table(context, out, room, 0);
}

int query_gid(ibv_context* context, std::uint32_t port, std::uint32_t index, ibv_gid_entry* out) {
  return ibv_query_gid_ex(context, port, index, out, 0);
}

bool take_async_event(ibv_context* context, AsyncEvent* out) {
  pollfd ready{.fd = context->async_fd, .events = POLLIN, .revents = 0};
  ibv_async_event event{};
  if (poll(&ready, 1, 0) != 1 || ibv_get_async_event(context, &event) != 0) return false;
  const bool of_port = is_of_port(event.event_type);
  *out = {.type = event.event_type,
          .port = of_port ? static_cast<std::uint8_t>(event.element.port_num) : std::uint8_t{0}};
  ibv_ack_async_event(&event);
  return true;
}
int async_fd(const ibv_context* context) { return context->async_fd; }
TimeNs now() { return monotonic_now(); }

ibv_pd* alloc_pd(ibv_context* context) { return ibv_alloc_pd(context); }
int dealloc_pd(ibv_pd* pd) { return ibv_dealloc_pd(pd); }
ibv_mr* reg_mr(ibv_pd* pd, void* at, std::size_t bytes, int access) {
  return ibv_reg_mr(pd, at, bytes, access);
}
int dereg_mr(ibv_mr* mr) { return ibv_dereg_mr(mr); }
std::uint64_t lockable_bytes() {
  __user_cap_header_struct whose{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> has{};
  if (syscall(SYS_capget, &whose, has.data()) == 0 &&
      (has[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK)) != 0) {
    return kUnlimited;
  }
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  return limit.rlim_cur == RLIM_INFINITY ? kUnlimited : limit.rlim_cur;
}
ibv_comp_channel* create_comp_channel(ibv_context* context) {
  ibv_comp_channel* made = ibv_create_comp_channel(context);
  if (made == nullptr) return nullptr;
  const int flags = fcntl(made->fd, F_GETFL);
  if (flags >= 0 && fcntl(made->fd, F_SETFL, flags | O_NONBLOCK) == 0) return made;
  const int error = errno;
  ibv_destroy_comp_channel(made);
  errno = error;
  return nullptr;
}
int destroy_comp_channel(ibv_comp_channel* channel) { return ibv_destroy_comp_channel(channel); }
bool take_cq_event(ibv_comp_channel* channel) {
  ibv_cq* cq = nullptr;
  void* context = nullptr;
  if (ibv_get_cq_event(channel, &cq, &context) != 0) return false;
  ibv_ack_cq_events(cq, 1);
  return true;
}
int req_notify_cq(ibv_cq* cq) { return ibv_req_notify_cq(cq, 0); }
ibv_cq* create_cq(ibv_context* context, int entries, ibv_comp_channel* channel) {
  return ibv_create_cq(context, entries, nullptr, channel, 0);
}
int destroy_cq(ibv_cq* cq) { return ibv_destroy_cq(cq); }
ibv_qp* create_qp(ibv_pd* pd, ibv_qp_init_attr* attributes) {
  return ibv_create_qp(pd, attributes);
}
int modify_qp(ibv_qp* qp, ibv_qp_attr* attributes, int mask) {
  return ibv_modify_qp(qp, attributes, mask);
}
int destroy_qp(ibv_qp* qp) { return ibv_destroy_qp(qp); }
int attach_mcast(ibv_qp* qp, const ibv_gid* group, std::uint16_t mlid) {
  return ibv_attach_mcast(qp, group, mlid);
}
int detach_mcast(ibv_qp* qp, const ibv_gid* group, std::uint16_t mlid) {
  return ibv_detach_mcast(qp, group, mlid);
}
ibv_ah* create_ah(ibv_pd* pd, ibv_ah_attr* attributes) { return ibv_create_ah(pd, attributes); }
int destroy_ah(ibv_ah* handle) { return ibv_destroy_ah(handle); }

int post_send(ibv_qp* qp, ibv_send_wr* first, ibv_send_wr** bad) {
  return ibv_post_send(qp, first, bad);
}
int post_recv(ibv_qp* qp, ibv_recv_wr* first, ibv_recv_wr** bad) {
  return ibv_post_recv(qp, first, bad);
}
int poll_cq(ibv_cq* cq, int room, ibv_wc* out) { return ibv_poll_cq(cq, room, out); }

int join_group(std::uint32_t interface_index, const ibv_gid& group) {
  const bool ipv4 = is_ipv4(group);
  const int fd = socket(ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int result = 0;
  if (ipv4) {
    ip_mreqn request{};
    std::memcpy(&request.imr_multiaddr, group.raw + 12, 4);
    request.imr_ifindex = static_cast<int>(interface_index);
    result = setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request);
  } else {
    ipv6_mreq request{};
    std::memcpy(&request.ipv6mr_multiaddr, group.raw, 16);
    request.ipv6mr_interface = interface_index;
    result = setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &request, sizeof request);
  }
  if (result == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

void leave_group(int membership) { close(membership); }

int open_datagrams(const ibv_gid& address, std::uint16_t port) {
  SocketAddress own(address, port);
  const int fd = socket(own.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, own.get(), own.length()) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

void close_datagrams(int fd) { close(fd); }

bool send_datagram(int fd, const ibv_gid& to, std::uint16_t port,
                   std::span<const std::byte> bytes) {
  SocketAddress peer(to, port);
  return sendto(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL, peer.get(),
                peer.length()) == static_cast<ssize_t>(bytes.size());
}

bool take_datagram(int fd, std::span<std::byte> room, Datagram* out) {
  sockaddr_storage from{};
  socklen_t length = sizeof from;
  const ssize_t got = recvfrom(fd, room.data(), room.size(), MSG_DONTWAIT,
                               reinterpret_cast<sockaddr*>(&from), &length);
  if (got < 0) return false;
  *out = {.from = {}, .port = 0, .bytes = static_cast<std::size_t>(got)};
  if (from.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &from, sizeof v4);
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), out->from.raw);
    std::memcpy(out->from.raw + kMappedPrefix.size(), &v4.sin_addr, 4);
    out->port = ntohs(v4.sin_port);
  } else if (from.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &from, sizeof v6);
    std::memcpy(out->from.raw, &v6.sin6_addr, 16);
    out->port = ntohs(v6.sin6_port);
  }
  return true;
}

}  // namespace phalanx::transport::verbs::calls

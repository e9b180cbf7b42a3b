#include "transport/udp/sockets.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace phalanx::transport::udp {
namespace {

template <class T>
bool set_option(int fd, int level, int name, const T& value) noexcept {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/// Asks for what only root may have first. Returns what the kernel granted.
std::uint32_t set_buffer(int fd, std::uint32_t bytes, int force, int plain) noexcept {
  const int wanted = static_cast<int>(bytes);
  if (!set_option(fd, SOL_SOCKET, force, wanted)) (void)set_option(fd, SOL_SOCKET, plain, wanted);
  int granted = 0;
  socklen_t length = sizeof granted;
  (void)getsockopt(fd, SOL_SOCKET, plain, &granted, &length);
  return static_cast<std::uint32_t>(granted);
}

std::string bind_remedy(const Address& address, int error) {
  const std::string port = std::to_string(address.port());
  if (error == EADDRINUSE) {
    return "see who has the port: ss -ulpn 'sport = :" + port +
           "'; stop it, or give this node another port in cluster.nodes";
  }
  if (error == EADDRNOTAVAIL) {
    return "no interface has this address now (see: ip address); give one the address, or correct "
           "this node's address in cluster.nodes";
  }
  if (error == EACCES) return "use a port above 1023";
  if (error == EAFNOSUPPORT) return "this host has no such address family; use the other one";
  return "correct transport.multicast or this node's address in cluster.nodes";
}

/// A promise about latency is kept or refused; the processor is a hint.
Expected<void, Error> set_polling(int fd, const SocketOptions& options) {
  if (options.cpu) (void)set_option(fd, SOL_SOCKET, SO_INCOMING_CPU, *options.cpu);
  if (options.busy_poll_us == 0) return {};
  const auto us = static_cast<int>(options.busy_poll_us);
  const int on = 1;
  if (set_option(fd, SOL_SOCKET, SO_BUSY_POLL, us)) {
    (void)set_option(fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, on);  // Linux 5.11.
    return {};
  }
  return fail(system_error(
      "cannot use transport.busy_poll = \"" + std::to_string(us) + "us\"", "setsockopt", errno,
      "run it as root or with CAP_NET_ADMIN; or set transport.busy_poll = \"0ns\""));
}

Expected<Socket, Error> open_bound(const Address& address, const SocketOptions& options,
                                   bool shared) {
  const std::string attempted = "cannot open the UDP port " + address.text();
  const int family = address.is_ipv6() ? AF_INET6 : AF_INET;
  Socket out{.fd = Fd(socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0))};
  if (!out.fd) {
    return fail(system_error(attempted, "socket", errno, bind_remedy(address, errno)));
  }
  const int fd = out.fd.get();
  const int on = 1;
  if (shared) (void)set_option(fd, SOL_SOCKET, SO_REUSEADDR, on);
  if (address.is_ipv6()) (void)set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, on);
  if (bind(fd, address.get(), address.length()) != 0) {
    return fail(system_error(attempted, "bind", errno, bind_remedy(address, errno)));
  }
  out.receive_buffer = set_buffer(fd, options.receive_buffer, SO_RCVBUFFORCE, SO_RCVBUF);
  (void)set_buffer(fd, options.receive_buffer, SO_SNDBUFFORCE, SO_SNDBUF);
  (void)set_option(fd, SOL_SOCKET, SO_RXQ_OVFL, on);
  if (options.segmentation) {
    (void)set_option(fd, SOL_UDP, UDP_GRO, on);
    const int none = 0;
    out.segmentation = set_option(fd, SOL_UDP, UDP_SEGMENT, none);
  }
  if (auto set = set_polling(fd, options); !set) return fail(std::move(set.error()));
  // Frames are never fragmented; what a router says of its MTU could be forged and is not followed.
  if (address.is_ipv6()) {
    const int probe = IPV6_PMTUDISC_PROBE;
    (void)set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, probe);
  } else {
    const int probe = IP_PMTUDISC_PROBE;
    (void)set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, probe);
  }
  return out;
}

bool has_address(const ifaddrs& entry, const Address& wanted) noexcept {
  if (entry.ifa_addr == nullptr) return false;
  if (entry.ifa_addr->sa_family == AF_INET && !wanted.is_ipv6()) {
    return reinterpret_cast<const sockaddr_in*>(entry.ifa_addr)->sin_addr.s_addr ==
           wanted.v4().sin_addr.s_addr;
  }
  return entry.ifa_addr->sa_family == AF_INET6 && wanted.is_ipv6() &&
         IN6_ARE_ADDR_EQUAL(&reinterpret_cast<const sockaddr_in6*>(entry.ifa_addr)->sin6_addr,
                            &wanted.v6().sin6_addr);
}

std::uint32_t mtu_of(const std::string& name) noexcept {
  const Fd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), sizeof request.ifr_name - 1);
  if (!any || ioctl(any.get(), SIOCGIFMTU, &request) != 0) return 0;
  return static_cast<std::uint32_t>(request.ifr_mtu);
}

}  // namespace

Expected<Interface, Error> interface_of(const Address& local) {
  const std::string attempted = "cannot find the interface of " + local.text();
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return fail(system_error(attempted, "getifaddrs", errno));
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, &freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (!has_address(*entry, local)) continue;
    return Interface{entry->ifa_name, if_nametoindex(entry->ifa_name), mtu_of(entry->ifa_name)};
  }
  // All of 127.0.0.0/8 is local although only one address of it is listed.
  if (!local.is_ipv6() && (ntohl(local.v4().sin_addr.s_addr) >> 24) == 127) {
    return Interface{"lo", if_nametoindex("lo"), mtu_of("lo")};
  }
  return fail(Error{ExitCode::Usage, attempted, "no interface has this address",
                    bind_remedy(local, EADDRNOTAVAIL)});
}

Expected<Socket, Error> open_unicast(const Address& local, const SocketOptions& options) {
  return open_bound(local, options, false);
}

Expected<Socket, Error> open_group(const Address& group, const Address& local, const Interface& on,
                                   const SocketOptions& options) {
  auto opened = open_bound(group.on_interface(on.index), options, true);
  if (!opened) return opened;
  bool joined = false;
  if (group.is_ipv6()) {
    ipv6_mreq request{};
    request.ipv6mr_multiaddr = group.v6().sin6_addr;
    request.ipv6mr_interface = on.index;
    joined = set_option(opened->fd.get(), IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, request);
  } else {
    ip_mreqn request{};
    request.imr_multiaddr = group.v4().sin_addr;
    request.imr_address = local.v4().sin_addr;
    request.imr_ifindex = static_cast<int>(on.index);
    joined = set_option(opened->fd.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, request);
  }
  if (joined) return opened;
  return fail(system_error("cannot join the multicast group " + group.text() + " on " + on.name,
                           "setsockopt", errno,
                           "ip link set " + on.name +
                               " multicast on; or set transport.multicast = \"\" to send copies"));
}

Expected<void, Error> send_groups_through(int fd, const Address& local, const Interface& on,
                                          bool loop) {
  bool fine = false;
  const int loops = loop ? 1 : 0;
  if (local.is_ipv6()) {
    const int index = static_cast<int>(on.index);
    fine = set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, index) &&
           set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, loops);
  } else {
    ip_mreqn request{};
    request.imr_address = local.v4().sin_addr;
    request.imr_ifindex = static_cast<int>(on.index);
    fine = set_option(fd, IPPROTO_IP, IP_MULTICAST_IF, request) &&
           set_option(fd, IPPROTO_IP, IP_MULTICAST_LOOP, loops);
  }
  if (fine) return {};
  return fail(system_error("cannot send multicast through " + on.name, "setsockopt", errno,
                           "set transport.multicast = \"\" to send copies"));
}

}  // namespace phalanx::transport::udp

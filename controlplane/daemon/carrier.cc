#include "controlplane/daemon/carrier.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <utility>

namespace phalanx::controlplane {
namespace {

bool owns(const sockaddr* address, const config::Endpoint& wanted) noexcept {
  if (address == nullptr) return false;
  if (address->sa_family == AF_INET && !wanted.is_ipv6) {
    in_addr want{};
    return inet_pton(AF_INET, wanted.host.c_str(), &want) == 1 &&
           reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr == want.s_addr;
  }
  if (address->sa_family == AF_INET6 && wanted.is_ipv6) {
    const std::string host = wanted.host.substr(0, wanted.host.find('%'));
    in6_addr want{};
    return inet_pton(AF_INET6, host.c_str(), &want) == 1 &&
           std::memcmp(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, &want,
                       sizeof want) == 0;
  }
  return false;
}

bool is_wildcard(const config::Endpoint& address) noexcept {
  return address.host == "0.0.0.0" || address.host == "::";
}

}  // namespace

Carrier::Carrier(EventLoop& loop, const config::Endpoint& address, std::function<void()> changed)
    : address_(address),
      changed_(std::move(changed)),
      fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)) {
  sockaddr_nl groups{};
  groups.nl_family = AF_NETLINK;
  groups.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (!fd_ || bind(fd_.get(), reinterpret_cast<const sockaddr*>(&groups), sizeof groups) != 0) {
    return;
  }
  look();
  watch_ = Watch(loop, fd_.get(), EPOLLIN, [this](std::uint32_t) { drain(); });
}

void Carrier::drain() {
  // What changed does not matter: the messages only say that it is time to look again.
  std::array<std::byte, 8192> bytes{};
  while (recv(fd_.get(), bytes.data(), bytes.size(), 0) > 0) {
  }
  const bool before = up_;
  look();
  if (before != up_) changed_();
}

void Carrier::look() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return;
  interface_ = "none";
  // A wildcard is anybody's, and what no interface ever had need not be the kernel's (a second
  // address of lo, a port of DPDK): nothing can be told. What was there and is gone is down.
  up_ = !owned_ || is_wildcard(address_);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (!owns(entry->ifa_addr, address_)) continue;
    interface_ = entry->ifa_name;
    owned_ = true;
    up_ = (entry->ifa_flags & IFF_UP) != 0 && (entry->ifa_flags & IFF_RUNNING) != 0;
    break;
  }
  freeifaddrs(list);
}

}  // namespace phalanx::controlplane

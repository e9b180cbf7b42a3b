#include "transport/dpdk/kernel_interface.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>

#include "ipc/base/fd.h"

namespace phalanx::transport::dpdk {
namespace {

bool ask(const std::string& interface, unsigned long question, ifreq& request) noexcept {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  return ioctl(socket.get(), question, &request) == 0;
}

}  // namespace

std::string interface_of(const std::string& device) {
  const std::size_t at = device.find(",iface=");
  if (at == std::string::npos) return {};
  const std::size_t start = at + 7;
  return device.substr(start, device.find(',', start) - start);
}

std::uint16_t interface_mtu(const std::string& interface) noexcept {
  ifreq request{};
  if (!ask(interface, SIOCGIFMTU, request)) return 0;
  return static_cast<std::uint16_t>(std::min(request.ifr_mtu, 65535));
}

std::uint32_t interface_queues(const std::string& interface) noexcept {
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  ifreq request{};
  request.ifr_data = reinterpret_cast<char*>(&channels);
  if (!ask(interface, SIOCETHTOOL, request)) return 0;
  return channels.combined_count + channels.rx_count;
}

}  // namespace phalanx::transport::dpdk

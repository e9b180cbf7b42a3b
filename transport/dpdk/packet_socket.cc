#include "transport/dpdk/packet_socket.h"

#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iterator>
#include <string>
#include <system_error>

namespace phalanx::transport::dpdk {

std::vector<int> packet_sockets() {
  constexpr int kAfXdp = 44;  // Older headers lack it.
  std::vector<int> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    const std::string name = entry.path().filename().string();
    int fd = -1;
    std::from_chars(name.data(), name.data() + name.size(), fd);
    int domain = 0;
    socklen_t size = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) continue;
    if (domain == AF_PACKET || domain == kAfXdp) out.push_back(fd);
  }
  std::ranges::sort(out);
  return out;
}

// The kernel gives out the lowest number that is free, so numbers need not grow; the drivers make
// all of a port's sockets in one go, with nothing closed between.
std::vector<int> new_ones(const std::vector<int>& before, const std::vector<int>& now,
                          std::size_t count) {
  std::vector<int> added;
  std::ranges::set_difference(now, before, std::back_inserter(added));
  if (added.size() != count) added.clear();
  return added;
}

}  // namespace phalanx::transport::dpdk

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

int only_new(const std::vector<int>& before, const std::vector<int>& now) {
  std::vector<int> added;
  std::ranges::set_difference(now, before, std::back_inserter(added));
  return added.size() == 1 ? added.front() : -1;
}

}  // namespace phalanx::transport::dpdk

#include "transport/dpdk/port_statistics.h"

#include <rte_ethdev.h>

#include <algorithm>
#include <cstring>

namespace phalanx::transport::dpdk {

PortStatistics::PortStatistics(std::uint16_t port) : port_(port) {
  const int count = rte_eth_xstats_get_names(port, nullptr, 0);
  if (count <= 0) return;
  std::vector<rte_eth_xstat_name> names(static_cast<std::size_t>(count));
  if (rte_eth_xstats_get_names(port, names.data(), static_cast<unsigned int>(count)) != count)
    return;
  known_.resize(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::strncpy(known_[i].name, names[i].name, sizeof known_[i].name - 1);
  }
  read_.resize(names.size() * sizeof(rte_eth_xstat));
}

void PortStatistics::look() noexcept {
  auto* values = reinterpret_cast<rte_eth_xstat*>(read_.data());
  const int count = rte_eth_xstats_get(port_, values, static_cast<unsigned int>(known_.size()));
  // More than there is room for: the driver has changed its mind, and wrote nothing.
  if (count <= 0 || static_cast<std::size_t>(count) > known_.size()) return;
  for (int i = 0; i < count; ++i) {
    if (values[i].id < known_.size()) known_[values[i].id].value = values[i].value;
  }
}

std::size_t PortStatistics::rows(std::span<ExtendedCounter> out) const noexcept {
  std::size_t count = 0;
  for (const ExtendedCounter& counter : known_) {
    if (counter.value == 0) continue;
    if (count == out.size()) break;
    out[count++] = counter;
  }
  return count;
}

}  // namespace phalanx::transport::dpdk

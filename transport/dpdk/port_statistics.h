#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "transport/transport.h"

namespace phalanx::transport::dpdk {

/// The driver's own counters of a port (rte_eth_xstats_get). Allocates in the constructor only.
class PortStatistics {
 public:
  explicit PortStatistics(std::uint16_t port);

  /// Asks the device, which may take long (registers).
  void look() noexcept;
  /// Those over zero, as of the last look().
  [[nodiscard]] std::size_t rows(std::span<ExtendedCounter> out) const noexcept;

 private:
  std::uint16_t port_;
  std::vector<ExtendedCounter> known_;
  std::vector<std::byte> read_;  ///< rte_eth_xstat, whose type stays in the source file.
};

}  // namespace phalanx::transport::dpdk

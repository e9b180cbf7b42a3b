#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "transport/transport.h"

namespace phalanx::perf {

/// What `phalanx-perf wire` was asked for.
struct WireOptions {
  std::string transport = "verbs";
  std::string nodes;  ///< "10.0.0.1:5405,10.0.0.2:5405": node 1 and so on.
  std::uint64_t self = 1;
  std::string shape = "latency";
  std::string group = "239.77.0.1";
  bool copies = false;
  std::string device;
  std::uint64_t size = 64;
  std::uint64_t mtu = 1500;
  std::uint64_t count = 10'000;
  double seconds = 5;
};

struct WireAddress {
  std::string host;
  std::uint16_t port = 0;
};

/// At least two numeric addresses with their ports, `self` among them.
[[nodiscard]] Expected<std::vector<WireAddress>, Error> addresses_of(const WireOptions& options);
[[nodiscard]] Expected<std::unique_ptr<transport::Transport>, Error> open_wire(
    const WireOptions& options, const std::vector<WireAddress>& addresses);

}  // namespace phalanx::perf

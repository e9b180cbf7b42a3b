#pragma once

#include <cstdint>
#include <string>

#include "ipc/base/time_ns.h"

namespace phalanx::cli {

/// What `phalanx demo` was asked for.
struct DemoOptions {
  std::uint64_t nodes = 3;
  std::string transport = "auto";
  std::uint64_t senders = 1;
  std::uint64_t size_bytes = 64;
  double seconds = 5;
  std::string fault = "kill";
  bool serve = false;
  bool insecure = false;
  bool copies = false;
  bool json = false;
  /// The demo proves a death, it does not wait for one: a busy host must not look like it.
  TimeNs dead_after = kSecond;
  TimeNs stall_after = 5 * kSecond;
  std::uint64_t slow = 1;  ///< All limits of time are multiplied with it.

  /// How long a step of the demo may take.
  [[nodiscard]] TimeNs patience() const { return 30 * kSecond * static_cast<TimeNs>(slow); }
};

}  // namespace phalanx::cli

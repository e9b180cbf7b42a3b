#pragma once

#include <spdlog/logger.h>

#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "config/config.h"
#include "ipc/base/time_ns.h"

namespace phalanx::controlplane {

/// One logger a folder, all to stderr: "2026-01-31T10:00:00.123456 info  membership: view installed
/// view=17 members=3". Event first, then key=value.
void set_up_logging(config::LogLevel level);

/// The logger of that name; made on first use. A view, because clang 14 merges the destructors of a
/// string argument over the cases of a switch, which its AddressSanitizer takes for a use after
/// scope.
[[nodiscard]] spdlog::logger& log(std::string_view name);

/// Lets a line about one subject through once in an interval, so that a peer cannot fill the disk.
class LogLimit {
 public:
  explicit LogLimit(TimeNs interval) : interval_(interval) {}

  /// True when the line may be written now. `suppressed` becomes how many were not since the last.
  [[nodiscard]] bool pass(std::uint64_t subject, TimeNs now, std::uint64_t& suppressed);

 private:
  struct Entry {
    TimeNs next = 0;
    std::uint64_t suppressed = 0;
  };
  static constexpr std::size_t kSubjectsMax = 1024;
  TimeNs interval_;
  std::unordered_map<std::uint64_t, Entry> entries_;
};

}  // namespace phalanx::controlplane

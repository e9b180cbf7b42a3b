#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "ipc/base/time_ns.h"

namespace phalanx::controlplane {

/// Lets one line a second through of each subsystem and reason, so that nobody who can make this
/// process say something can fill a disk, or hide other lines. What it holds back is counted and
/// told with the next line that passes. The reason is what a line says first: its words up to the
/// first key=value, and the values of the keys that say why.
class LineLimit {
 public:
  static constexpr TimeNs kInterval = kSecond;
  /// Further ones share a single place.
  static constexpr std::size_t kReasonsMax = 512;

  /// True when the line may be written now. `muted` becomes how many of its reason were not since
  /// the last one that was.
  [[nodiscard]] bool pass(std::string_view subsystem, std::string_view line, TimeNs now,
                          std::uint64_t& muted);

  /// Held back since start.
  [[nodiscard]] std::uint64_t muted() const noexcept { return muted_; }

  /// "datagram dropped \"forged\"" of "datagram dropped node=3 reason=\"forged\"".
  [[nodiscard]] static std::string reason_of(std::string_view line);

 private:
  struct Entry {
    TimeNs next = 0;
    std::uint64_t muted = 0;
  };
  std::unordered_map<std::string, Entry> entries_;
  Entry others_;
  std::uint64_t muted_ = 0;
};

}  // namespace phalanx::controlplane

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace phalanx::controlplane {

/// The newest lines of the log, of all levels, within a bound. For `phalanx log show`.
class LogMemory {
 public:
  static constexpr std::size_t kLinesMax = 4096;
  static constexpr std::size_t kBytesMax = 512 * 1024;
  /// A longer one is kept up to here.
  static constexpr std::size_t kLineBytesMax = 4096;

  void add(std::string_view subsystem, config::LogLevel level, std::string_view line);

  struct Filter {
    std::string subsystem;  ///< Empty: all.
    config::LogLevel level = config::LogLevel::Debug;
    std::size_t lines = 100;         ///< The newest ones,
    std::size_t bytes = 128 * 1024;  ///< and no more than that.
  };
  /// Oldest first.
  [[nodiscard]] std::vector<std::string> newest(const Filter& filter) const;

  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t lines() const noexcept { return lines_.size(); }

 private:
  struct Line {
    std::string subsystem;
    config::LogLevel level = config::LogLevel::Debug;
    std::string text;
  };
  std::deque<Line> lines_;
  std::size_t bytes_ = 0;
};

}  // namespace phalanx::controlplane

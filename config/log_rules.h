#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "ipc/base/expected.h"

namespace phalanx::config {

/// Where lines of the log go, one bit each. Memory is not among them: all lines go there.
struct LogTargets {
  static constexpr std::uint8_t kStderr = 1;
  static constexpr std::uint8_t kSyslog = 2;
  static constexpr std::uint8_t kFile = 4;
  std::uint8_t bits = kStderr;

  [[nodiscard]] bool has(std::uint8_t bit) const noexcept { return (bits & bit) != 0; }
  friend bool operator==(const LogTargets&, const LogTargets&) = default;
};

/// What one subsystem does otherwise than log.level and log.targets say.
struct LogRule {
  std::string subsystem;
  std::optional<LogLevel> level;
  std::optional<LogTargets> targets;

  friend bool operator==(const LogRule&, const LogRule&) = default;
};

/// All subsystems, sorted: the word before the colon of a line.
[[nodiscard]] std::span<const std::string_view> log_subsystems() noexcept;

/// "error", "warn", "info", "debug".
[[nodiscard]] std::optional<LogLevel> parse_log_level(std::string_view word) noexcept;

/// "stderr file", or "none". Fails with words that go on after the name of the key.
[[nodiscard]] Expected<LogTargets, std::string> parse_log_targets(std::string_view text,
                                                                  char between = ' ');
/// "membership=debug quorum=warn:syslog+file map=:none": SUBSYSTEM=[LEVEL][:TARGET+...] a word.
[[nodiscard]] Expected<std::vector<LogRule>, std::string> parse_log_rules(std::string_view text);

/// The other way round.
[[nodiscard]] std::string to_string(LogTargets targets, char between = ' ');

}  // namespace phalanx::config

#pragma once

#include <spdlog/logger.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/config.h"
#include "config/log_rules.h"
#include "controlplane/daemon/log_memory.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/time_ns.h"

namespace phalanx::controlplane {

/// The logger of a subsystem; made on first use: "2026-01-31T10:00:00.123456 info  membership: view
/// installed view=17 members=3". Event first, then key=value. All lines go into memory and, by the
/// rules of the configuration, to standard error, syslog and a file. Of one reason a line a second
/// passes (line_limit.h), but for what an administrator ordered: subsystem "admin".
/// A view, because clang 14 merges the destructors of a string argument over the cases of a switch,
/// which its AddressSanitizer takes for a use after scope. One thread.
[[nodiscard]] spdlog::logger& log(std::string_view subsystem);

/// What is not so: the file cannot be opened. Changes nothing.
[[nodiscard]] Expected<void, Error> check_logging(const config::Config& config);
/// From now on as the configuration says; without it everything goes to standard error. On failure
/// all is as before.
[[nodiscard]] Expected<void, Error> set_up_logging(const config::Config& config);
/// Opens the file again, whose name another one has by now: what logrotate asks for.
[[nodiscard]] Expected<void, Error> reopen_log();

/// Until the configuration is taken anew. An empty subsystem: all of them.
void set_log_level(std::string_view subsystem, config::LogLevel level);
/// Fails when the file is wanted and log.file names none.
[[nodiscard]] Expected<void, Error> set_log_targets(std::string_view subsystem,
                                                    config::LogTargets targets);

/// How the log stands.
struct LogState {
  struct Subsystem {
    std::string_view name;
    config::LogLevel level = config::LogLevel::Info;
    config::LogTargets targets;
    std::uint64_t lines = 0;  ///< That passed the limit.
    std::uint64_t muted = 0;  ///< Held back by it.
  };
  std::vector<Subsystem> subsystems;
  std::string file;
  std::uint64_t lost = 0;  ///< Lines that the file did not take.
};
[[nodiscard]] LogState log_state();
[[nodiscard]] const LogMemory& log_memory();

/// Lets a line about one subject through once in an interval: for what need not be said every
/// second while it lasts.
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

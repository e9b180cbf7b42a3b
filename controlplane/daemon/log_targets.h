#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/config.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"

namespace phalanx::controlplane {

/// The file of the log, opened for adding. Never truncated or made by following a link.
class LogFile {
 public:
  [[nodiscard]] static Expected<LogFile, Error> open(const std::string& path);
  LogFile() = default;

  /// One whole line. What the file does not take (a full disk) is counted, never waited for.
  void write(std::string_view line) noexcept;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }
  /// The file at `path()` once more; on failure this one goes on.
  [[nodiscard]] Expected<void, Error> reopen();

 private:
  Fd fd_;
  std::string path_;
  std::uint64_t lost_ = 0;
};

void write_to_stderr(std::string_view line) noexcept;
/// Without time and level, which syslog and the journal have of their own.
void write_to_syslog(config::LogLevel level, const std::string& text) noexcept;

}  // namespace phalanx::controlplane

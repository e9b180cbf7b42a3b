#pragma once

#include <cstdint>
#include <string>

#include "ipc/base/expected.h"

namespace phalanx {

/// Exit codes of every command and daemon. A test that cannot run here exits with 77.
enum class ExitCode : std::uint8_t {
  Fine = 0,
  Failed = 1,
  Usage = 2,  ///< Wrong command line or configuration.
  NotRunning = 3,
  Degraded = 4,
  Permission = 5,
  TimeOut = 6,
  CannotRunHere = 77,
};

/// An operational failure in cold code, told so that the reader can act on it: what was attempted,
/// what was observed, how to mend it. Never both logged and returned.
struct Error {
  ExitCode code = ExitCode::Failed;
  std::string attempted;  ///< "cannot open the state file /var/lib/phalanx/n1.state".
  std::string observed;   ///< "open: No space left on device (ENOSPC)".
  std::string remedy;     ///< "free some space, or set node.state_directory".

  /// "error: ATTEMPTED\n  observed: OBSERVED\n  remedy:   REMEDY\n"; empty parts are left out.
  [[nodiscard]] std::string text() const;
};

/// An Error about a failed system call: `observed` becomes "CALL: strerror (ENAME)".
[[nodiscard]] Error system_error(std::string attempted, const char* call, int errno_value,
                                 std::string remedy = {});

}  // namespace phalanx

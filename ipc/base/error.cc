#include "ipc/base/error.h"

#include <cerrno>
#include <cstring>

namespace phalanx {

std::string Error::text() const {
  std::string out = "error: " + attempted + "\n";
  if (!observed.empty()) out += "  observed: " + observed + "\n";
  if (!remedy.empty()) out += "  remedy:   " + remedy + "\n";
  return out;
}

Error system_error(std::string attempted, const char* call, int errno_value, std::string remedy) {
  const char* name = strerrorname_np(errno_value);
  return {.code = errno_value == EACCES || errno_value == EPERM ? ExitCode::Permission
                                                                : ExitCode::Failed,
          .attempted = std::move(attempted),
          .observed = std::string(call) + ": " + strerrordesc_np(errno_value) + " (" +
                      (name != nullptr ? name : "unknown error") + ")",
          .remedy = std::move(remedy)};
}

}  // namespace phalanx

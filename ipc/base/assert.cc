#include "ipc/base/assert.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace phalanx {

void check_failed(const char* file, int line, const char* what) noexcept {
  char text[512];
  const int length =
      std::snprintf(text, sizeof text, "%s:%d: check failed: %s\n", file, line, what);
  if (length > 0) {
    const auto bytes = static_cast<std::size_t>(length) < sizeof text
                           ? static_cast<std::size_t>(length)
                           : sizeof text - 1;
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, bytes);
  }
  std::abort();
}

}  // namespace phalanx

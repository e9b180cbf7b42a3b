#include "ipc/base/standard_fds.h"

#include <fcntl.h>
#include <unistd.h>

namespace phalanx {

void occupy_standard_fds() noexcept {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest number that is free, so this very one. Opened for the other direction on purpose.
    (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

}  // namespace phalanx

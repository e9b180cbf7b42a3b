#pragma once

#include <string>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"
#include "ipc/base/time_ns.h"

namespace phalanx::watch {

/// A socket of a node's control plane, and what for: the words of what goes wrong with it.
struct DaemonSocket {
  std::string path;
  std::string attempted;  ///< "cannot ask the control plane at PATH".
  std::string permitted;  ///< Who may: the remedy for a user who may not.
  /// In a directory that only root can have made, believe whoever listens: root let it in.
  bool trusts_root_directory = false;
};

/// A call on it that failed, by its errno: not running, no permission, or no answer in time.
[[nodiscard]] Error no_answer(const DaemonSocket& socket, const char* call, int errno_value);

/// Somebody listens there whom connect_to() would not believe.
[[nodiscard]] Error not_trusted(const DaemonSocket& socket);

/// Connects; sends and receives then wait this long at most. Others than root are only served by
/// daemons of their own user: whoever else listens there took the place of one.
[[nodiscard]] Expected<Fd, Error> connect_to(const DaemonSocket& socket, TimeNs patience);

}  // namespace phalanx::watch

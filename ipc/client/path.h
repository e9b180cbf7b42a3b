#pragma once

#include "ipc/client/handle.h"

namespace phalanx::client {

/// Finds the socket of an instance: in options->runtime_directory, $PHX_RUNTIME_DIR, or where the
/// daemons of root, or of this user, put it. False: the path is too long.
[[nodiscard]] bool find_socket(const phx_options& options, Handle& handle) noexcept;

}  // namespace phalanx::client

#pragma once

#include "ipc/client/path.h"
#include "ipc/include/phalanx/status.h"

namespace phalanx::call {

/// Where clients look for the server `name`, by itself or in the folder of an instance. PHX_OK,
/// PHX_BAD_NAME.
[[nodiscard]] phx_status find_server(const char* name, const char* runtime_directory,
                                     const char* instance, client::SocketPath& path) noexcept;

/// Where a server of that name listens: its directories are made when they are not there.
/// PHX_OK, PHX_BAD_NAME, PHX_ACCESS.
[[nodiscard]] phx_status place_server(const char* name, const char* runtime_directory,
                                      sockaddr_un& address) noexcept;

}  // namespace phalanx::call

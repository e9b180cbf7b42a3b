#pragma once

#include <sys/un.h>

#include "phalanx/status.h"

namespace phalanx::client {

struct SocketPath {
  sockaddr_un address{};
  bool check_owner = false;  ///< The socket's directory is one that anybody could have made.
  bool own = false;          ///< In a directory of this user's, without root: see find_socket().
};

/// Finds a socket of an instance: in `runtime_directory`, $PHX_RUNTIME_DIR, or where the daemons of
/// root, or of this user, put it. False: the path is too long. NULL or "": not given.
[[nodiscard]] bool find_socket(const char* instance, const char* runtime_directory,
                               const char* file, SocketPath& path) noexcept;

/// Where a daemon of this user would put that socket. False: the path is too long.
[[nodiscard]] bool own_socket(const char* instance, const char* runtime_directory, const char* file,
                              SocketPath& path) noexcept;

/// In a directory that anybody may create, only root's or our own daemon is believed.
[[nodiscard]] bool owner_is_trusted(int socket) noexcept;

/// What a socket or connect() that failed with this errno means to whoever wants to attach.
[[nodiscard]] phx_status status_of_connect(int error) noexcept;

}  // namespace phalanx::client

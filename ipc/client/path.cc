#include "ipc/client/path.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace phalanx::client {
namespace {

constexpr const char* kRootDirectory = "/run/phalanx";

bool write_path(sockaddr_un& address, const char* directory, const char* instance,
                const char* file) noexcept {
  address.sun_family = AF_UNIX;
  const int length = std::snprintf(address.sun_path, sizeof address.sun_path, "%s/%s/%s", directory,
                                   instance, file);
  return length > 0 && static_cast<std::size_t>(length) < sizeof address.sun_path;
}

bool is_ours(const char* directory) noexcept {
  struct stat status {};
  return lstat(directory, &status) == 0 && S_ISDIR(status.st_mode) &&
         (status.st_uid == geteuid() || status.st_uid == 0);
}

bool is_set(const char* text) noexcept { return text != nullptr && *text != '\0'; }

}  // namespace

bool own_socket(const char* instance, const char* runtime_directory, const char* file,
                SocketPath& path) noexcept {
  const char* directory =
      is_set(runtime_directory) ? runtime_directory : secure_getenv("PHX_RUNTIME_DIR");
  if (is_set(directory)) return write_path(path.address, directory, instance, file);
  if (geteuid() == 0) return write_path(path.address, kRootDirectory, instance, file);
  char own[sizeof path.address.sun_path];
  const char* run = secure_getenv("XDG_RUNTIME_DIR");
  path.check_owner = run == nullptr || *run != '/';
  const int length = path.check_owner ? std::snprintf(own, sizeof own, "/tmp/phalanx-%u", geteuid())
                                      : std::snprintf(own, sizeof own, "%s/phalanx", run);
  if (length <= 0 || static_cast<std::size_t>(length) >= sizeof own) return false;
  path.own = true;
  return write_path(path.address, own, instance, file);
}

bool find_socket(const char* instance, const char* runtime_directory, const char* file,
                 SocketPath& path) noexcept {
  if (!is_set(instance)) instance = "default";
  if (!own_socket(instance, runtime_directory, file, path)) return false;
  // Without root: this user's own daemons, or else those of the host.
  if (!path.own) return true;
  // In /tmp anybody could have made that directory: then it is no daemon of ours.
  char folder[sizeof path.address.sun_path];
  std::memcpy(folder, path.address.sun_path, sizeof folder);
  for (int levels = 0; levels < 2; ++levels) *std::strrchr(folder, '/') = '\0';
  if (access(path.address.sun_path, F_OK) == 0 && (!path.check_owner || is_ours(folder)))
    return true;
  sockaddr_un of_host{};
  if (!write_path(of_host, kRootDirectory, instance, file)) return false;
  if (access(of_host.sun_path, F_OK) == 0) path = {.address = of_host};
  return true;
}

bool owner_is_trusted(int socket) noexcept {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 &&
         (peer.uid == 0 || peer.uid == geteuid());
}

phx_status status_of_connect(int error) noexcept {
  switch (error) {
    case EACCES:
    case EPERM:
      return PHX_ACCESS;
    case ENOENT:
    case ECONNREFUSED:
    case ENOTDIR:
      return PHX_NOT_RUNNING;
    case EPROTOTYPE:  // It listens there, and not for this.
      return PHX_VERSION;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
      return PHX_NO_MEMORY;
    default:
      return PHX_TRY_AGAIN;  // EAGAIN: the backlog is full. Or it went away just now.
  }
}

}  // namespace phalanx::client

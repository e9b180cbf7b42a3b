#include "ipc/call/name.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace phalanx::call {
namespace {

constexpr std::size_t kNameBytesMax = 64;
constexpr const char* kInstance = "ipc";  ///< Servers of a host share one folder.

bool is_path(const char* name) noexcept { return std::strchr(name, '/') != nullptr; }

phx_status use_path(const char* name, sockaddr_un& address) noexcept {
  address.sun_family = AF_UNIX;
  const int length = std::snprintf(address.sun_path, sizeof address.sun_path, "%s", name);
  return static_cast<std::size_t>(length) < sizeof address.sun_path ? PHX_OK : PHX_BAD_NAME;
}

bool file_of(const char* name, char (&file)[kNameBytesMax + 8]) noexcept {
  const std::size_t length = std::strlen(name);
  if (length == 0 || length > kNameBytesMax || name[0] == '.') return false;
  for (const char* c = name; *c != '\0'; ++c) {
    const bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                       (*c >= '0' && *c <= '9') || *c == '.' || *c == '-' || *c == '_';
    if (!plain) return false;
  }
  std::snprintf(file, sizeof file, "%s.sock", name);
  return true;
}

/// Makes the folder of `path` if it is not there; true when it is a folder of ours or root's, which
/// nobody else can write: who can, puts a socket of his own there.
bool make_folder(const char* path) noexcept {
  if (mkdir(path, 0755) != 0 && errno != EEXIST) return false;
  struct stat status {};
  return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) &&
         (status.st_uid == geteuid() || status.st_uid == 0) &&
         ((status.st_mode & 022) == 0 || (status.st_mode & S_ISVTX) != 0);
}

}  // namespace

phx_status find_server(const char* name, const char* runtime_directory, const char* instance,
                       client::SocketPath& path) noexcept {
  if (is_path(name)) return use_path(name, path.address);
  char file[kNameBytesMax + 8];
  if (!file_of(name, file)) return PHX_BAD_NAME;
  if (instance == nullptr || *instance == '\0') instance = kInstance;
  return client::find_socket(instance, runtime_directory, file, path) ? PHX_OK : PHX_BAD_NAME;
}

phx_status place_server(const char* name, const char* runtime_directory,
                        sockaddr_un& address) noexcept {
  if (is_path(name)) return use_path(name, address);
  char file[kNameBytesMax + 8];
  client::SocketPath path;
  if (!file_of(name, file) || !client::own_socket(kInstance, runtime_directory, file, path))
    return PHX_BAD_NAME;
  address = path.address;
  char folder[sizeof address.sun_path];
  std::memcpy(folder, address.sun_path, sizeof folder);
  char* const inner = std::strrchr(folder, '/');
  *inner = '\0';
  char* const outer = std::strrchr(folder, '/');
  if (outer == nullptr || outer == folder) return PHX_BAD_NAME;
  *outer = '\0';
  const bool made = make_folder(folder);
  *outer = '/';
  return made && make_folder(folder) ? PHX_OK : PHX_ACCESS;
}

}  // namespace phalanx::call

#include "controlplane/daemon/instance.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "ipc/shm/attach_server.h"

namespace phalanx::controlplane {
namespace {

constexpr int kBacklog = 128;

/// Makes a directory of ours, or takes the one that is there if nobody else can write to it.
Expected<void, Error> make_directory(const std::string& path, mode_t mode) {
  const std::string attempted = "cannot use the runtime directory " + path;
  const std::string remedy =
      "set node.runtime_directory or PHX_RUNTIME_DIR to a directory that "
      "this user may write to";
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    return fail(system_error(attempted, "mkdir", errno, remedy));
  }
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    return fail(system_error(attempted, "lstat", errno, remedy));
  }
  if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid() ||
      (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(Error{.code = ExitCode::Permission,
                      .attempted = attempted,
                      .observed = S_ISDIR(status.st_mode)
                                      ? "it belongs to another user, or others may write to it"
                                      : "it is not a directory",
                      .remedy = remedy});
  }
  // mkdir() is subject to the umask, and an older instance may have had other clients.
  if (chmod(path.c_str(), mode) != 0) {
    return fail(system_error(attempted, "chmod", errno, remedy));
  }
  return {};
}

/// The process id that the owner of the lock wrote, for the message only.
std::string owner_of(int lock) {
  std::array<char, 16> text{};
  const ssize_t bytes = pread(lock, text.data(), text.size() - 1, 0);
  const std::string owner(text.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  return owner.substr(0, owner.find('\n'));
}

}  // namespace

Expected<Instance, Error> Instance::open(const Options& options) {
  const mode_t mode = options.others_attach ? 0711 : 0700;
  // The parent is shared with other instances, maybe with other clients: never narrow it.
  struct stat parent {};
  const bool parent_open =
      stat(options.runtime_directory.c_str(), &parent) == 0 && (parent.st_mode & S_IXOTH) != 0;
  std::error_code ignored;  // make_directory() says what is wrong.
  std::filesystem::create_directories(options.runtime_directory, ignored);
  if (auto made = make_directory(options.runtime_directory, parent_open ? 0711 : mode); !made) {
    return fail(std::move(made.error()));
  }
  std::string directory = options.runtime_directory + "/" + options.name;
  if (auto made = make_directory(directory, mode); !made) return fail(std::move(made.error()));

  const std::string lock_path = directory + "/controlplane.lock";
  Fd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return fail(system_error("cannot open the lock file " + lock_path, "open", errno));
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(Error{
        .code = ExitCode::Failed,
        .attempted = "cannot start the control plane of instance " + options.name,
        .observed = "another one runs: process " + owner_of(lock.get()) + " holds " + lock_path,
        .remedy = "stop that one, or give this one another --instance"});
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(lock.get(), 0) != 0 ||
      pwrite(lock.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return fail(system_error("cannot write the lock file " + lock_path, "write", errno,
                             "free some space there, or set node.runtime_directory"));
  }
  return Instance(std::move(directory), std::move(lock), options.others_attach);
}

Instance::~Instance() {
  for (const std::string& path : sockets_) unlink(path.c_str());
}

Expected<Fd, Error> Instance::listen(const std::string& name, int type, Access access) {
  const std::string socket_path = path(name);
  const std::string attempted = "cannot listen on " + socket_path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = attempted,
                      .observed = "the path has " + std::to_string(socket_path.size()) +
                                  " bytes, a socket's may have " +
                                  std::to_string(sizeof address.sun_path - 1),
                      .remedy = "set node.runtime_directory to a shorter one"});
  }
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  Fd fd(socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail(system_error(attempted, "socket", errno));
  unlink(socket_path.c_str());  // The lock is ours: whoever made it is dead.
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(system_error(attempted, "bind", errno));
  }
  sockets_.push_back(socket_path);
  if (access == Access::Others) for_others_.push_back(socket_path);
  const mode_t mode = access == Access::Others && others_attach_ ? 0666 : 0600;
  if (chmod(socket_path.c_str(), mode) != 0) return fail(system_error(attempted, "chmod", errno));
  shm::refuse_descriptors(fd.get());
  if (::listen(fd.get(), kBacklog) != 0) return fail(system_error(attempted, "listen", errno));
  return fd;
}

void Instance::let_others_attach(bool others) {
  if (others == others_attach_) return;
  others_attach_ = others;
  // The parent is shared with other instances, maybe with other clients: never narrow it.
  const std::string parent = std::filesystem::path(directory_).parent_path();
  if (others) (void)chmod(parent.c_str(), 0711);
  (void)chmod(directory_.c_str(), others ? 0711 : 0700);
  for (const std::string& path : for_others_) (void)chmod(path.c_str(), others ? 0666 : 0600);
}

}  // namespace phalanx::controlplane

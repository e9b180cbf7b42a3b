#pragma once

#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"

namespace phalanx::controlplane {

/// The place of one instance in the file system, "<runtime directory>/<instance>/", held by this
/// process alone: a lock file names the owner, so that a second control plane is refused and what a
/// dead one left is cleaned. Removes the sockets it made when destroyed.
class Instance {
 public:
  struct Options {
    std::string runtime_directory;
    std::string name;
    /// Users beside root and our own may attach: they must be able to reach the socket.
    bool others_attach = false;
  };

  /// Makes both directories where they are missing and takes the lock.
  [[nodiscard]] static Expected<Instance, Error> open(const Options& options);

  Instance(Instance&&) noexcept = default;
  Instance& operator=(Instance&&) = delete;
  ~Instance();

  enum class Access : bool { Owner, Others };
  /// A listening Unix socket of that name in the directory. A stale one is replaced.
  [[nodiscard]] Expected<Fd, Error> listen(const std::string& name, int type, Access access);

  /// From now on, or no longer: the modes of the directory and of the sockets for others.
  void let_others_attach(bool others);

  [[nodiscard]] std::string path(const std::string& name) const { return directory_ + "/" + name; }
  [[nodiscard]] const std::string& directory() const noexcept { return directory_; }

 private:
  Instance(std::string directory, Fd lock, bool others_attach)
      : directory_(std::move(directory)), lock_(std::move(lock)), others_attach_(others_attach) {}

  std::string directory_;
  Fd lock_;
  bool others_attach_;
  std::vector<std::string> sockets_;
  std::vector<std::string> for_others_;  ///< Of these.
};

}  // namespace phalanx::controlplane

#pragma once

#include <string>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"
#include "ipc/base/ids.h"

namespace phalanx::transport::shm {

/// Where the nodes of one host meet: a directory (0700) with a socket for each node that listens,
/// and one file in which each living node holds a lock on the byte that its id numbers. Who wants
/// to know whether a node lives looks for its lock: connecting to find out would be a connection
/// that the driver at the other end has to handle.
class HostSockets {
 public:
  /// Makes the directory, takes our lock, and removes the socket that a dead process of our id
  /// left. An id that lives already is an error.
  [[nodiscard]] static Expected<HostSockets, Error> open(std::string directory, NodeId self);
  HostSockets(HostSockets&&) noexcept = default;
  HostSockets& operator=(HostSockets&&) = delete;
  /// Removes our socket, and the directory when we were the last.
  ~HostSockets();

  [[nodiscard]] std::string path_of(NodeId node) const;
  [[nodiscard]] bool is_alive(NodeId node) const noexcept;

 private:
  HostSockets(std::string directory, NodeId self, Fd locks) noexcept
      : directory_(std::move(directory)), self_(self), locks_(std::move(locks)) {}

  std::string directory_;
  NodeId self_;
  Fd locks_;
};

}  // namespace phalanx::transport::shm

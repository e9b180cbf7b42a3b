#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "tests/unit/transport_parts/frames.h"

namespace phalanx::transport {

/// This program once more as "--peer DIRECTORY ID": a node that answers (echo), until it is killed.
class PeerProcess {
 public:
  PeerProcess(const std::string& directory, NodeId self);
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;
  ~PeerProcess();
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

 private:
  pid_t pid_;
};

/// Opens node `self` of two that meet in `directory`.
using OpenNode =
    std::function<std::unique_ptr<Transport>(const std::string& directory, NodeId self)>;

/// A peer that is killed while frames fly both ways, again and again: the survivor lives, and hears
/// each successor.
void survive_kills(const OpenNode& open, NodeId self, NodeId peer);
/// Killed while it starts, `first` to `first` + 11 `step` later: half a handshake must not harm the
/// survivor, nor the next peer.
void survive_early_deaths(const OpenNode& open, TimeNs first, TimeNs step);

}  // namespace phalanx::transport

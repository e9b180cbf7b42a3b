#pragma once

#include "ipc/base/ids.h"
#include "transport/transport.h"

namespace phalanx::transport {

/// Whether a frame is for that peer, where each has a link of its own.
[[nodiscard]] inline bool goes_to(const Destination& to, NodeId peer, bool is_member) noexcept {
  switch (to.kind) {
    case Destination::Kind::Peer:
      return to.peer == peer;
    case Destination::Kind::Members:
      return is_member;
    case Destination::Kind::Everyone:
      return true;
  }
  return false;
}

}  // namespace phalanx::transport

#pragma once

#include <cstdint>

#include "ipc/base/ids.h"

namespace phalanx::wire {

/// What a node and the quorum device say to each other of one view, in a management datagram.
struct DeviceWord {
  std::uint64_t nodes = 0;     ///< Members: bit i stands for the i-th configured node, by id.
  std::uint64_t sequence = 0;  ///< Of the attempt, and who leads it: unique, as sequences are never
  NodeId representative = 0;   ///< used twice by one node.
  std::uint32_t epoch = 0;     ///< Names one run of the arbiter, 31 bits; 0: not known yet.
  bool yes = false;            ///< Of a node: it has installed the view. Of the device: granted.

  friend bool operator==(const DeviceWord&, const DeviceWord&) = default;
};

inline constexpr std::uint32_t kEpochMask = 0x7FFFFFFF;

}  // namespace phalanx::wire

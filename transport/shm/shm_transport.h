#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/ids.h"
#include "transport/transport.h"

namespace phalanx::transport::shm {

struct ShmConfig {
  NodeId self = 0;
  std::vector<NodeId> nodes;  ///< Every configured node; `self` among them is skipped.
  std::string directory;      ///< Where they meet: the same for all nodes, made (0700) and removed.
  std::uint32_t frame_bytes = 0;  ///< Longest frame, the same for all nodes.
};

/// Nodes of one host over memory that each of them writes and all others can only read: a frame is
/// sealed into its sender's memory once and opened from there by every receiver, never copied on
/// its way. Needs no privilege, no hugepages and no library. A peer that dies, stalls or goes mad
/// costs the others its own frames only.
///
/// Errors name the directory or socket, and the remedy. One thread beside a sleeping one that makes
/// links (meeting.h); steady state makes no system call but one to wake a peer that sleeps.
[[nodiscard]] Expected<std::unique_ptr<Transport>, Error> open(const ShmConfig& config);

}  // namespace phalanx::transport::shm

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "transport/wire/messages.h"

namespace phalanx::membership {

struct MembershipConfig {
  Member self;
  std::vector<NodeId> nodes;          ///< All configured nodes, sorted, self included.
  LaneId lanes = 1;
  std::uint64_t config_hash = 0;
  std::uint32_t key_id_highest = 0;
  TimeNs dead_after = 50 * kMillisecond;
  TimeNs stall_after = 500 * kMillisecond;
  TimeNs hold_min = 50 * kMillisecond;
  TimeNs hold_max = 5 * kSecond;
  TimeNs hello_interval = 20 * kMillisecond;
  TimeNs attempt_deadline = 100 * kMillisecond;  ///< Of one step of an attempt.
};

enum class State : std::uint8_t { Gather, Operational, Prepare, Recover };

/// What the worker saw of one configured peer, read by the control plane before each step.
struct PeerSeen {
  NodeId node = 0;
  TimeNs heard = 0;      ///< Last authenticated data frame on the slowest lane; 0 never in this view.
  TimeNs progressed = 0; ///< Last time its `received` moved, or had nothing to move for; 0 never.
  bool distrusts_itself = false;
};

struct Send {
  enum class To : std::uint8_t { Node, Attempt, Everyone };
  To to = To::Everyone;
  NodeId node = 0;              ///< For Node.
  BootId boot;                  ///< Receiver's boot id for Node.
  wire::MessageKind kind = wire::MessageKind::Hello;
  std::vector<std::byte> bytes; ///< The encoded message, without fragmentation.
};

/// What the caller must do next, in this order. Plain data: a test compares it, a simulator replays
/// it. The machine itself never sends, logs, reads a clock or does I/O.
struct Actions {
  std::optional<std::uint64_t> reserve_sequence;  ///< Make this sequence durable before anything else below.
  bool freeze = false;                            ///< Freeze every lane; answer with on_frozen().
  std::optional<wire::Plan> recover;              ///< Start recovery with it; answer with on_recovered().
  std::optional<wire::Plan> install;              ///< Install it in every worker before anything else below.
  std::vector<Send> sends;
  TimeNs wake_at = kNever;                        ///< Call on_time() no later than this.
};

}  // namespace phalanx::membership

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "transport/sim/sim_network.h"

namespace phalanx::sim {

/// What clients do.
struct LoadOptions {
  std::uint32_t records_per_node = 150;  ///< In one incarnation.
  TimeNs interval = 2 * kMillisecond;    ///< Between bursts, on average.
  std::uint32_t burst_max = 8;
  std::uint32_t payload_bytes_max = 200;  ///< Of ordinary messages.
  std::uint32_t bulk_percent = 0;         ///< Messages of up to message_bytes_max.
  std::uint32_t safe_percent = 20;
  std::uint32_t join_percent = 5;  ///< Joins and leaves.
  std::uint32_t clients = 4;
  std::uint32_t groups = 5;
  NodeId give_up_node = 0;            ///< Whose clients are impatient; all others wait.
  std::uint32_t give_up_percent = 0;  ///< A refused message is taken back, at each refusal.
};

/// What a node that speaks, but does not answer, lets fall.
enum Mute : std::uint8_t {
  kMutePrepare = 1,
  kMuteFreeze = 2,
  kMuteRecovery = 4,
  kRefuseRecovery = 8,  ///< It says so.
};

/// One thing that is done to the cluster from outside, at a time.
struct Step {
  enum class Kind : std::uint8_t {
    Partition,      ///< Links between the nodes of `mask` and all others are cut.
    CutOneWay,      ///< From `node` to `peer`.
    Cut,            ///< Both ways between `node` and `peer`.
    HealLinks,      ///< No link is cut.
    Stall,          ///< The node's two processes do not step for `span`.
    StallControl,   ///< Its control plane alone.
    Kill,           ///< Both processes; they start again after `span`.
    KillData,       ///< The data plane; its control plane sends the obituary and starts it again.
    KillControl,    ///< The control plane; a new one restores the attempt after `span`.
    Leave,          ///< Orderly; it starts again `span` after it has left.
    LoseDisk,       ///< The state file is gone or old when the node starts next.
    PauseReaders,   ///< Clients of the node take nothing for `span`.
    Burst,          ///< The node's clients submit `mask` records at once.
    CutManagement,  ///< No vouching and no obituaries for `span`.
    LinkDown,       ///< The node's own link, for `span`: it knows and says so.
    ClockJump,      ///< The node's clock goes forward by `span` at once.
    KillAtAction,   ///< The data plane dies right after the `mask`th thing that the two processes
                    ///< tell each other; the node starts it again after `span`.
    KillControlAtAction,  ///< The same of the control plane; what it still wrote is drawn.
    VoteOrder,            ///< An operator at the node asks for other votes: `mask` draws what for.
    HoldNextKey,  ///< A rotation's first half at the node, unless others still finish the last one.
    GoOverToNextKey,  ///< Its second half, at the node, once all nodes hold the next key.
    Mute,             ///< Until all others are in one view: what `mask` (Mute) says has no effect.
  };
  TimeNs at = 0;
  Kind kind = Kind::HealLinks;
  NodeId node = 0;
  NodeId peer = 0;
  std::uint64_t mask = 0;
  TimeNs span = 0;
};

/// Everything that makes a history, derived from (recipe, seed, sizes) alone.
struct Scenario {
  std::string recipe;
  std::uint64_t seed = 0;
  std::size_t nodes = 3;
  LaneId lanes = 1;

  std::uint32_t frame_payload_bytes = 400;
  std::uint32_t message_bytes_max = 2000;
  std::uint32_t submit_window_bytes = 2048;
  std::uint32_t window_bytes = 8192;
  std::uint64_t log_bytes = 0;       ///< 0: the smallest that the core accepts.
  std::uint32_t rx_ring_frames = 0;  ///< 0: enough for every window.

  std::uint32_t copy_bytes_max = 64 * 1024;  ///< Longer records are copied over several turns.
  /// Frames are sealed by transport/wire, with its keys and replay windows; else by a stand-in.
  bool real_seals = false;
  /// Payloads are sent as they lie in logs and streams, and read late.
  bool gathers = false;

  std::uint32_t handover_bytes_min = 4096;  ///< Real lanes: 256 KiB; histories are small.

  TimeNs heartbeat = 10 * kMillisecond;
  TimeNs dead_after = 30 * kMillisecond;
  TimeNs stall_after = 80 * kMillisecond;
  TimeNs hold_min = 20 * kMillisecond;
  TimeNs hold_max = 1 * kSecond;
  bool management = true;                  ///< Nodes have a management address.
  TimeNs plane_delay = 20 * kMicrosecond;  ///< At most, between the two processes of a node.
  std::uint32_t drift_ppm = 0;             ///< Clocks run at most this much fast or slow.
  TimeNs start_spread = 20 * kMillisecond;

  transport::LinkFaults faults;  ///< While the faulty part lasts.
  LoadOptions load;
  bool tapes = false;       ///< What each core is given is kept on a tape and replayed.
  bool replicas = false;    ///< Each node has an application with a replicated state.
  std::vector<Step> steps;  ///< Sorted by time.
  /// After the faulty part cut links stay cut until every node is in the view that they allow.
  bool settles = false;
  TimeNs faulty_until = 600 * kMillisecond;
  TimeNs heal_limit = 30 * kSecond;  ///< From then on, to one view with everything delivered.
};

}  // namespace phalanx::sim

#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "controlplane/cli/demo/order_hash.h"
#include "ipc/base/histogram.h"

namespace phalanx::cli {

/// What the demo's processes tell one another: shared memory, inherited as a descriptor. The
/// orchestrator writes the head, each client its own slot; everybody reads everything.

inline constexpr std::uint32_t kBoardClientsMax = 64;

enum class Phase : std::uint32_t {
  Wait,     ///< Deliver only.
  Latency,  ///< The first client sends, one message outstanding.
  Flood,    ///< The senders send as much as flow control lets them.
  Steady,   ///< The senders send `rate_per_s` messages each.
  Quit,
};

/// A point of a client's sequence that others know by the same name: a view, or somebody's join.
struct Checkpoint {
  enum class Kind : std::uint64_t { View = 1, Join = 2 };
  Kind kind = Kind::View;
  std::uint64_t first = 0;    ///< View: sequence. Join: node.
  std::uint64_t second = 0;   ///< View: representative. Join: client.
  std::uint64_t members = 0;  ///< View: a bit for each node id up to 63.
  OrderHash order;            ///< Of all that came before, this event included.
  std::uint64_t time_ns = 0;  ///< CLOCK_MONOTONIC at delivery.
};

inline constexpr std::uint32_t kCheckpointsMax = 4096;

struct alignas(64) ClientSlot {
  std::atomic<std::uint32_t> failed;         ///< `error` says why; the client has ended.
  std::atomic<std::uint32_t> group_members;  ///< In the last group view; 0 while not a member.
  std::atomic<std::uint32_t> attaches;       ///< Times it attached after the first.
  std::atomic<std::uint32_t> node;           ///< Its own id, as of the last attach.
  std::atomic<std::uint32_t> client;
  std::atomic<std::uint64_t> sent;       ///< Accepted by the library.
  std::atomic<std::uint64_t> own;        ///< Own messages delivered.
  std::atomic<std::uint64_t> lost;       ///< Accepted by a data plane that died before delivery.
  std::atomic<std::uint64_t> delivered;  ///< All messages delivered.
  std::atomic<std::uint64_t> disorders;  ///< Messages that did not follow their sender's last one.
  std::atomic<std::uint64_t> gap_ns;  ///< Longest time without a delivery since `gap_round` began.
  std::atomic<std::uint64_t> first_after_attach_ns;  ///< First message after the last re-attach.
  std::atomic<std::uint64_t> items;  ///< OrderHash, right when nothing is under way.
  std::atomic<std::uint64_t> hash;
  std::atomic<std::uint32_t> checkpoint_count;
  std::array<Checkpoint, kCheckpointsMax>
      checkpoints;       ///< The first `checkpoint_count` are complete.
  Histogram latency_ns;  ///< Read when its phase is over.
  std::array<char, 256> error;
};

struct Board {
  std::atomic<Phase> phase;
  std::atomic<std::uint32_t> gap_round;  ///< Counting up starts `gap_ns` afresh.
  std::uint32_t clients;
  std::uint32_t senders;  ///< The first so many clients send.
  std::uint64_t size_bytes;
  std::atomic<std::uint64_t> rate_per_s;  ///< Of each sender in Phase::Steady.
  std::array<ClientSlot, kBoardClientsMax> slots;
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace phalanx::cli

#pragma once

#include <cstdint>
#include <optional>

#include "dataplane/core/core.h"
#include "dataplane/tape/core_tape.h"
#include "dataplane/worker/group_table.h"
#include "ipc/replica/replica.h"
#include "tests/sim/checkers/observer.h"
#include "tests/sim/checkers/replicated.h"
#include "tests/sim/scenario.h"
#include "tests/sim/trace.h"
#include "transport/sim/random.h"

namespace phalanx::sim {

/// An application process with a replicated state: the production replica between a node's lane 0
/// and random operations. It outlives its data plane, and attaches to the next one.
class ReplicatedApp {
 public:
  ReplicatedApp(const Scenario& scenario, Replicated& checker, Trace& trace, NodeId node,
                std::uint64_t seed);
  ~ReplicatedApp();
  ReplicatedApp(const ReplicatedApp&) = delete;
  ReplicatedApp& operator=(const ReplicatedApp&) = delete;

  void attach(TimeNs now);
  void detach();
  /// A record of lane 0, in local order.
  void deliver(const core::LocalRecord& record, TimeNs now);
  /// Draws operations, lets time pass and sends. Returns how many records it submitted.
  std::size_t turn(core::Core& core, tape::CoreTape& tape, Observer& observer, Incarnation who,
                   TimeNs now);
  [[nodiscard]] TimeNs wake_at() const noexcept;
  void stop() noexcept { left_ = 0; }
  /// Live, and nothing of its own waits; or why not.
  [[nodiscard]] std::string unfinished() const;
  [[nodiscard]] std::uint64_t digest() const noexcept { return replica_.digest(); }

 private:
  [[nodiscard]] static replica::Options options(const Scenario& scenario, NodeId node,
                                                std::uint64_t origin);
  [[nodiscard]] replica::Host host();
  void deliver_changes(TimeNs now);
  [[nodiscard]] bool submit(std::span<const iovec> parts, core::RecordKind kind);

  bool snapshot(replica::Buffer& out);
  bool restore(std::span<const std::byte> in, bool initial);
  std::int64_t apply(const replica::Operation& operation);
  void take(const replica::Operation& operation);
  void answer(std::uint64_t ticket, replica::Outcome outcome, std::int64_t result);
  void notice(const replica::Notice& notice);

  Replicated& checker_;
  Trace& trace_;
  NodeId node_;
  transport::Random random_;
  std::uint64_t origin_;
  ReplicatedState state_;
  replica::Replica replica_;

  bool attached_ = false;
  bool joined_ = false;
  ClientId client_ = 0;
  worker::GroupTable table_;
  worker::GroupChanges changes_;
  TimeNs now_ = 0;
  TimeNs next_ = 0;
  std::uint32_t left_ = 0;
  std::uint64_t numbered_ = 0;
  // While turn() runs.
  core::Core* core_ = nullptr;
  tape::CoreTape* tape_ = nullptr;
  Observer* observer_ = nullptr;
  Incarnation who_ = kNobody;
  std::size_t submitted_ = 0;
};

}  // namespace phalanx::sim

#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "controlplane/membership/membership.h"
#include "dataplane/core/core.h"
#include "tests/sim/checkers/observer.h"
#include "tests/sim/load.h"
#include "tests/sim/memory_pool.h"
#include "tests/sim/replicated_app.h"
#include "tests/sim/scenario.h"
#include "tests/sim/seals.h"
#include "tests/sim/taped.h"
#include "tests/sim/trace.h"
#include "transport/sim/sim_network.h"

namespace phalanx::sim {

/// What a data plane tells its control plane.
struct PlaneEvent {
  enum class Kind : std::uint8_t { Message, Frozen, Recovered, Installed, Refused };
  Kind kind = Kind::Message;
  Member from;
  wire::MessageKind message = wire::MessageKind::Hello;
  std::vector<std::byte> bytes;
  wire::Report report;
  ViewId view;
};

/// What a control plane tells its data plane.
struct PlaneCommand {
  enum class Kind : std::uint8_t { Send, Freeze, Recover, Install };
  Kind kind = Kind::Send;
  membership::Send send;
  ViewId attempt;  ///< Freeze: to report for.
  wire::Plan plan;
  bool quorate = false;       ///< Install.
  wire::Amendment amendment;  ///< Install: votes that hold from there on.
};

struct DataPlaneParts {
  const Scenario& scenario;
  transport::SimPort& port;
  Observer& observer;
  MemoryPool& pool;
  Trace& trace;
  Replicated& replicated;
};

/// A data-plane process: the production core between a simulated wire and simulated clients. What
/// dataplane/worker does with ciphers and rings is done here with key identities and a Load.
class DataPlane {
 public:
  DataPlane(const DataPlaneParts& parts, Member self, std::uint64_t seed, TimeNs now,
            const KeysHeld& keys);

  /// One turn of the worker; returns frames and records handled. `readers_paused`: clients take
  /// nothing.
  std::size_t turn(TimeNs now, bool readers_paused);
  void execute(const PlaneCommand& command, TimeNs now);
  void hold_keys(const KeysHeld& keys) { seals_->hold(keys); }
  /// A process that is attached as long as this one lives; it must live longer.
  void set_app(ReplicatedApp* app) noexcept { app_ = app; }

  [[nodiscard]] TimeNs wake_at() const noexcept;
  [[nodiscard]] std::deque<PlaneEvent>& events() noexcept { return events_; }
  [[nodiscard]] core::Core& core() noexcept { return core_; }
  [[nodiscard]] const core::Core& core() const noexcept { return core_; }
  /// Throws a Violation unless its tape replays to the same outcomes.
  void check_tape(TimeNs now) { taped_.check(core_, now); }
  [[nodiscard]] Load& load() noexcept { return load_; }
  [[nodiscard]] const Load& load() const noexcept { return load_; }
  [[nodiscard]] Member self() const noexcept { return self_; }
  [[nodiscard]] Incarnation incarnation() const noexcept { return incarnation_; }
  [[nodiscard]] const std::vector<membership::PeerSeen>& peers_seen(TimeNs now);
  /// The worker found that it was descheduled; it says so until `until`.
  void distrust_until(TimeNs until) noexcept;

 private:
  static constexpr std::size_t kBurst = 32;

  std::size_t receive(TimeNs now);
  void receive_frame(std::span<const std::byte> frame, TimeNs now);
  void receive_control(Arrival& arrival);
  void receive_data(Arrival& arrival, TimeNs now);
  [[nodiscard]] std::byte* scratch(std::size_t bytes);
  [[nodiscard]] bool open(Arrival& arrival, std::byte* target);
  std::size_t deliver(TimeNs now);
  std::size_t send(TimeNs now);
  [[nodiscard]] tape::CoreTape& tape() noexcept { return taped_.tape(); }
  void seal_item(const core::TxItem& item, transport::TxFrame& frame);
  [[nodiscard]] bool is_gathered(const core::TxItem& item) const noexcept;
  void send_control(const membership::Send& send);
  void send_control_to(Member receiver, const transport::Destination& to,
                       const membership::Send& send, std::size_t which = 0);
  void trace_delivery(LaneId lane, const core::LocalRecord& record);

  const Scenario& scenario_;
  transport::SimPort& port_;
  Observer& observer_;
  Trace& trace_;
  Member self_;
  NodeMemory memory_;
  core::Core core_;
  Taped taped_;
  Incarnation incarnation_;
  Load load_;
  std::unique_ptr<Seals> seals_;
  std::vector<std::byte> scratch_;
  std::array<transport::RxFrame, kBurst> rx_;
  std::array<transport::TxFrame, kBurst> tx_;
  std::array<core::TxItem, kBurst> items_;
  std::vector<membership::PeerSeen> seen_;
  std::deque<PlaneEvent> events_;
  ViewId recovering_;
  TimeNs distrust_until_ = 0;
  bool send_again_ = false;
  ReplicatedApp* app_ = nullptr;
};

[[nodiscard]] std::uint32_t window_frames(const Scenario& scenario);
/// The core's sizes for a scenario: what config makes of the same figures.
[[nodiscard]] core::CoreConfig core_config(const Scenario& scenario, Member self);
[[nodiscard]] NodeMemory::Sizes memory_sizes(const Scenario& scenario);

}  // namespace phalanx::sim

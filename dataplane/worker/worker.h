#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/core/core.h"
#include "dataplane/tape/core_tape.h"
#include "dataplane/worker/crew.h"
#include "dataplane/worker/delivery.h"
#include "dataplane/worker/frames.h"
#include "dataplane/worker/gather_memory.h"
#include "dataplane/worker/mailbox.h"
#include "dataplane/worker/notes.h"
#include "dataplane/worker/port_table.h"
#include "dataplane/worker/submissions.h"
#include "ipc/recorder/recorder.h"
#include "ipc/shm/control_channel.h"
#include "transport/transport.h"
#include "transport/wire/key_table.h"

namespace phalanx::worker {

struct WorkerConfig {
  NodeId self = 0;
  std::vector<NodeId> nodes;  ///< All configured, sorted, this one included.
  LaneId lanes = 1;           ///< Of the cluster.
  /// Groups in lanes of their own, as LaneMap::assign() takes them.
  std::vector<shm::MappedGroup> mapped = {};
  LaneId index = 0;  ///< Which worker of this node it is: the first speaks with the control plane,
  LaneId workers = 1;      ///< of so many.
  std::int32_t cpu = -1;   ///< To be shown: the core that it is pinned to, or -1,
  std::int32_t numa = -1;  ///< and the NUMA node that its memory is asked of, or -1.
  std::uint32_t message_bytes_max = 1u << 20;
  std::uint32_t record_bytes_max = 0;  ///< As the core's.
  SlowClientPolicy slow_clients;
  TimeNs dead_after = 50 * kMillisecond;
  std::uint32_t window_bytes = 0;  ///< As the core's, to be shown.

  [[nodiscard]] core::LaneShare share() const noexcept { return {lanes, index, workers}; }
};

/// What the worker works with. Borrowed for its life.
struct WorkerParts {
  core::Core& core;
  transport::Transport& transport;
  wire::KeyTable& keys;
  shm::ControlWorkerEnd& control;
  Mailbox& mailbox;
  recorder::Recorder* recorder = nullptr;  ///< nullptr: nothing is recorded.
  tape::CoreTape* tape = nullptr;          ///< Likewise of view changes.
  Crew* crew = nullptr;  ///< The first worker's of several: how it leads the others.
  shm::DeliveryLog* shared_log = nullptr;  ///< nullptr: no client reads one.
  const GatherMemory* gathers = nullptr;   ///< What the transport was lent; nullptr: nothing.
};

/// Turns its lanes: frames and client rings in, frames and client rings out. One thread calls it;
/// worker_loop.h has the `while`, so that tests drive the very same turn step by step. Allocates,
/// locks and enters the kernel in no turn but through the transport, and where clients or views
/// change.
class Worker {
 public:
  Worker(const WorkerConfig& config, const WorkerParts& parts);

  /// One turn of all lanes. Returns frames and records handled; 0 means there was no work.
  std::size_t poll_once(TimeNs now) noexcept;

  /// Before sleeping: has everybody ring from here on. False when something came in between: do not
  /// sleep. `until` is when poll_once() must be called at the latest. disarm() after waking.
  [[nodiscard]] bool arm(TimeNs now, TimeNs& until) noexcept;
  void disarm() noexcept;

  /// Records were submitted or delivered, or data frames passed, since the last call: worth polling
  /// on.
  [[nodiscard]] bool take_busy() noexcept {
    const bool busy = busy_;
    busy_ = false;
    return busy;
  }

 private:
  void take_orders() noexcept;
  std::size_t take_commands(TimeNs now);
  void execute(const shm::Command& command, TimeNs now);
  [[nodiscard]] bool relay(const shm::Command& command);
  void answer(const shm::Event& event);
  [[nodiscard]] bool is_first() const noexcept { return config_.index == 0; }
  void begin_recovery(const shm::Command& command, TimeNs now);
  void report_recovered(TimeNs now);
  void install(const shm::Command& command, TimeNs now);
  void refuse(const shm::Command& command);
  void list_groups(std::uint32_t token);
  void add_client(ClientPort& port) noexcept;
  void client_gone(ClientPort& port) noexcept;
  void evict_client(ClientPort& port) noexcept;
  void take_keys(NewKeys& fresh);
  void notice_pause(TimeNs now) noexcept;
  void publish_status(TimeNs now) noexcept;
  void publish_lane(LaneId id) noexcept;
  void publish_tables(TimeNs now) noexcept;
  void look_at_wire() noexcept;
  void look_at_links() noexcept;
  void look_at_gaps(TimeNs now) noexcept;

  WorkerConfig config_;
  core::Core& core_;
  transport::Transport& transport_;
  wire::KeyTable& keys_;
  shm::ControlWorkerEnd& control_;
  Mailbox& mailbox_;
  recorder::Recorder no_recorder_;
  recorder::Recorder& recorder_;
  tape::CoreTape no_tape_;
  tape::CoreTape& tape_;
  Crew* crew_;
  core::LaneShare share_;
  PortTable ports_;
  Submissions submissions_;
  Delivery delivery_;
  Frames frames_;
  Notes notes_;
  shm::WorkerStatus status_{};
  std::uint32_t recovering_key_ = 0;   ///< Cluster key of status_.recovering's plan.
  transport::TransportCounters wire_;  ///< As last counted.
  TimeNs expected_ = 0;                ///< By when this turn was due; 0: the first turn.
  TimeNs gap_ = 0;                     ///< The longest since gap_since_.
  TimeNs gap_since_ = 0;
  TimeNs gap_before_ = 0;      ///< The longest in the ten seconds before gap_since_.
  TimeNs distrust_until_ = 0;  ///< It was descheduled and says so until then.
  bool busy_ = false;
  bool worked_ = false;  ///< The last turn, which began at turn_at_, found work.
  TimeNs turn_at_ = 0;
  TimeNs tables_at_ = 0;
  std::array<std::uint64_t, kLanesMax> handovers_seen_{};
};

}  // namespace phalanx::worker

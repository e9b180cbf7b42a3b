#pragma once

#include <memory>
#include <optional>

#include "config/config.h"
#include "dataplane/core/core.h"
#include "dataplane/memory/lane_rings.h"
#include "dataplane/worker/crew.h"
#include "dataplane/worker/worker.h"
#include "dataplane/worker/worker_loop.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"
#include "ipc/recorder/recorder.h"
#include "ipc/shm/control_channel.h"
#include "ipc/shm/delivery_log.h"
#include "ipc/shm/lane_map.h"
#include "transport/transport.h"
#include "transport/wire/key_ring.h"
#include "transport/wire/key_table.h"

namespace phalanx::dataplane {

/// One worker and everything that is its alone: nothing of it is shared with another worker but the
/// rings by which the first one leads the others. Members are in the order in which they need each
/// other. Made at start on the main thread; then its own thread runs loop().
class WorkerUnit {
 public:
  using Queue = std::unique_ptr<transport::Transport>;

  /// What its lanes and its share of the keys take. `index`: below worker.count.
  [[nodiscard]] static Expected<std::unique_ptr<WorkerUnit>, Error> open(
      const config::Config& config, const Member& self, const wire::KeyRing& keys,
      wire::Cipher cipher, Queue queue, std::size_t index);

  /// The rest, once there is a segment to write its statistics to. `event_doorbell` wakes whom it
  /// answers: the control plane, or the first worker; `main_doorbell` the main thread.
  [[nodiscard]] Expected<void, Error> complete(const config::Config& config,
                                               const shm::LaneMap& lanes,
                                               const shm::ControlSegment& segment,
                                               int event_doorbell, int main_doorbell,
                                               std::vector<shm::ControlOrders*> others);

  [[nodiscard]] const core::CoreConfig& sizes() const noexcept { return sizes_; }
  [[nodiscard]] worker::Mailbox& mailbox() noexcept { return *mailbox_; }
  [[nodiscard]] worker::Worker& worker() noexcept { return *worker_; }
  [[nodiscard]] worker::WorkerLoop& loop() noexcept { return *loop_; }
  [[nodiscard]] int command_doorbell() const noexcept { return command_doorbell_.get(); }
  /// Of its lanes, for clients that share it; nullptr: none does.
  [[nodiscard]] const shm::DeliveryLog* shared_log() const noexcept { return shared_log_.get(); }
  /// The NUMA node that its memory comes from, where it is asked of one.
  [[nodiscard]] std::optional<std::uint32_t> node() const noexcept { return node_; }
  /// How the first worker orders this one; not of the first itself.
  [[nodiscard]] shm::ControlOrders& orders() noexcept { return *orders_; }

 private:
  explicit WorkerUnit(std::size_t index) noexcept : index_(index) {}
  void choose_node(const config::Config& config);
  void open_recorder(const config::Config& config);
  void make_worker(const config::Config& config, const shm::LaneMap& lanes);

  std::size_t index_;
  Member self_;
  std::optional<std::uint32_t> node_;
  Fd command_doorbell_;
  Fd mailbox_doorbell_;
  std::unique_ptr<wire::KeyTable> keys_;
  std::unique_ptr<LaneRings> rings_;  ///< Before the transport, which may send from there.
  std::unique_ptr<transport::Transport> transport_;
  core::CoreConfig sizes_;
  std::optional<worker::GatherMemory> gathers_;  ///< What the transport was lent of the rings.
  std::unique_ptr<core::Core> core_;
  std::unique_ptr<shm::ControlRings>
      control_rings_;  ///< Not of the first: those are the segment's.
  std::unique_ptr<shm::ControlOrders> orders_;
  std::unique_ptr<shm::ControlWorkerEnd> control_;
  std::unique_ptr<worker::Crew> crew_;  ///< Of the first of several.
  std::unique_ptr<worker::Mailbox> mailbox_;
  std::unique_ptr<recorder::Recorder> recorder_;  ///< nullptr: there is no room for its file.
  recorder::MappedFile tape_file_;
  std::unique_ptr<tape::CoreTape> tape_;  ///< Likewise.
  std::unique_ptr<shm::DeliveryLog> shared_log_;
  std::unique_ptr<worker::Worker> worker_;
  std::unique_ptr<worker::WorkerLoop> loop_;
};

}  // namespace phalanx::dataplane

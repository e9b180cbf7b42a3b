#pragma once

#include <memory>
#include <optional>

#include "config/config.h"
#include "dataplane/daemon/control_listener.h"
#include "dataplane/daemon/lane_memory.h"
#include "dataplane/daemon/witness.h"
#include "dataplane/memory/lane_rings.h"
#include "dataplane/worker/worker.h"
#include "dataplane/worker/worker_loop.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/recorder/recorder.h"
#include "ipc/shm/control_channel.h"
#include "transport/transport.h"
#include "transport/wire/key_table.h"

namespace phalanx::dataplane {

/// Everything a data plane is made of, made once at start: identity, socket, memory, keys,
/// transport, core, worker. Members are in the order in which they need each other. Runs nothing by
/// itself.
class DataPlane {
 public:
  [[nodiscard]] static Expected<std::unique_ptr<DataPlane>, Error> create(
      const config::Config& config);

  [[nodiscard]] const Member& self() const noexcept { return self_; }
  [[nodiscard]] wire::Cipher cipher() const noexcept { return cipher_; }
  [[nodiscard]] ControlListener& listener() noexcept { return *listener_; }
  [[nodiscard]] worker::Mailbox& mailbox() noexcept { return *mailbox_; }
  [[nodiscard]] worker::Worker& worker() noexcept { return *worker_; }
  [[nodiscard]] worker::WorkerLoop& loop() noexcept { return *loop_; }
  [[nodiscard]] const core::CoreConfig& sizes() const noexcept { return sizes_; }

  /// The main thread: reads the files of the cluster keys, and hands what they hold to the worker.
  void read_keys_again();

  [[nodiscard]] int segment_fd() const noexcept { return segment_->fd(); }
  [[nodiscard]] int statistics_fd() const noexcept { return segment_->statistics().fd(); }
  [[nodiscard]] int command_doorbell() const noexcept { return command_doorbell_.get(); }
  [[nodiscard]] int event_doorbell() const noexcept { return event_doorbell_.get(); }
  [[nodiscard]] int main_doorbell() const noexcept { return main_doorbell_.get(); }

 private:
  DataPlane() = default;
  [[nodiscard]] Expected<void, Error> open(const config::Config& config);
  void open_recorder(const config::Config& config);
  [[nodiscard]] Expected<void, Error> open_doorbells();
  [[nodiscard]] Expected<void, Error> open_keys(const config::Config& config);

  Member self_;
  std::string key_file_;  ///< Empty: an `insecure` cluster.
  wire::Cipher cipher_ = wire::Cipher::Insecure;
  std::unique_ptr<ControlListener> listener_;
  std::optional<Witness> witness_;
  Fd command_doorbell_;
  Fd event_doorbell_;
  Fd worker_doorbell_;
  Fd main_doorbell_;
  std::vector<std::byte> obituary_;
  std::unique_ptr<wire::KeyTable> keys_;
  std::unique_ptr<transport::Transport> transport_;
  core::CoreConfig sizes_;
  std::unique_ptr<LaneRings> rings_;
  std::unique_ptr<core::Core> core_;
  std::unique_ptr<shm::ControlSegment> segment_;
  std::unique_ptr<shm::ControlWorkerEnd> control_;
  std::unique_ptr<worker::Mailbox> mailbox_;
  std::unique_ptr<recorder::Recorder> recorder_;  ///< nullptr: there is no room for its file.
  recorder::MappedFile tape_file_;
  std::unique_ptr<tape::CoreTape> tape_;  ///< Likewise.
  std::unique_ptr<worker::Worker> worker_;
  std::unique_ptr<worker::WorkerLoop> loop_;
};

}  // namespace phalanx::dataplane

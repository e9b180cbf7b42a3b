#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "dataplane/daemon/control_listener.h"
#include "dataplane/daemon/witness.h"
#include "dataplane/daemon/worker_unit.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/shm/control_channel.h"
#include "ipc/shm/lane_map.h"
#include "transport/wire/key_ring.h"

namespace phalanx::dataplane {

/// Everything a data plane is made of, made once at start: identity, socket, memory, workers.
/// Members are in the order in which they need each other. Runs nothing by itself.
class DataPlane {
 public:
  [[nodiscard]] static Expected<std::unique_ptr<DataPlane>, Error> create(
      const config::Config& config);

  [[nodiscard]] const Member& self() const noexcept { return self_; }
  [[nodiscard]] wire::Cipher cipher() const noexcept { return cipher_; }
  [[nodiscard]] ControlListener& listener() noexcept { return *listener_; }
  /// The first of them speaks with the control plane.
  [[nodiscard]] std::span<const std::unique_ptr<WorkerUnit>> workers() const noexcept {
    return workers_;
  }
  [[nodiscard]] const shm::LaneMap& lanes() const noexcept { return lanes_; }
  [[nodiscard]] const core::CoreConfig& sizes() const noexcept { return workers_[0]->sizes(); }

  /// The main thread: reads the files of the cluster keys, and hands what they hold to the
  /// workers.
  void read_keys_again();

  [[nodiscard]] int segment_fd() const noexcept { return segment_->fd(); }
  [[nodiscard]] int statistics_fd() const noexcept { return segment_->statistics().fd(); }
  [[nodiscard]] int command_doorbell() const noexcept { return workers_[0]->command_doorbell(); }
  [[nodiscard]] int event_doorbell() const noexcept { return event_doorbell_.get(); }
  [[nodiscard]] int main_doorbell() const noexcept { return main_doorbell_.get(); }

 private:
  DataPlane() = default;
  [[nodiscard]] Expected<void, Error> open(const config::Config& config);
  [[nodiscard]] Expected<void, Error> open_doorbells();
  [[nodiscard]] Expected<wire::KeyRing, Error> open_keys(const config::Config& config);
  [[nodiscard]] Expected<void, Error> complete_workers(const config::Config& config);

  Member self_;
  std::string key_file_;  ///< Empty: an `insecure` cluster.
  shm::LaneMap lanes_;
  wire::Cipher cipher_ = wire::Cipher::Insecure;
  std::unique_ptr<ControlListener> listener_;
  std::optional<Witness> witness_;
  Fd event_doorbell_;
  Fd main_doorbell_;
  std::vector<std::byte> obituary_;
  std::unique_ptr<shm::ControlSegment> segment_;
  std::vector<std::unique_ptr<WorkerUnit>> workers_;
};

}  // namespace phalanx::dataplane

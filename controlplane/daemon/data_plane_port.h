#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "ipc/shm/control_channel.h"

namespace phalanx::controlplane {

/// What the conductor asks of a running data plane: the shared control segment in the daemon, a
/// script in tests.
class DataPlanePort {
 public:
  virtual ~DataPlanePort() = default;

  /// False when the command ring is full: the worker is stopped or dead.
  virtual bool send(const shm::Command& command) = 0;
  virtual void store_attempt(std::span<const std::byte> bytes) = 0;
  [[nodiscard]] virtual std::vector<std::byte> load_attempt() const = 0;
  /// Empty when the worker died while it wrote.
  [[nodiscard]] virtual std::optional<shm::WorkerStatus> status() const = 0;
};

}  // namespace phalanx::controlplane

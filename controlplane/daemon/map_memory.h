#pragma once

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"
#include "ipc/shm/map_layout.h"

namespace phalanx::controlplane {

/// The map's memory: writable here, sealed so that whoever gets the descriptor can only read it.
class MapMemory {
 public:
  [[nodiscard]] static Expected<MapMemory, Error> create();

  MapMemory(MapMemory&& other) noexcept;
  MapMemory& operator=(MapMemory&&) = delete;
  ~MapMemory();

  [[nodiscard]] shm::MapLayout& layout() const noexcept { return *layout_; }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  MapMemory(Fd fd, shm::MapLayout* layout) : fd_(std::move(fd)), layout_(layout) {}

  Fd fd_;
  shm::MapLayout* layout_;
};

}  // namespace phalanx::controlplane

#include "controlplane/daemon/map_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace phalanx::controlplane {
namespace {

constexpr const char* kWhat = "cannot make the memory of the configuration map";

}  // namespace

Expected<MapMemory, Error> MapMemory::create() {
  Fd fd(memfd_create("phalanx-map", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fail(system_error(kWhat, "memfd_create", errno));
  if (ftruncate(fd.get(), sizeof(shm::MapLayout)) != 0) {
    return fail(system_error(kWhat, "ftruncate", errno));
  }
  void* at = mmap(nullptr, sizeof(shm::MapLayout), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED) return fail(system_error(kWhat, "mmap", errno));
  MapMemory memory(std::move(fd), static_cast<shm::MapLayout*>(at));
  // Behind our own mapping: no other one can write, whoever holds the descriptor.
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
  if (fcntl(memory.fd(), F_ADD_SEALS, kSeals) != 0) {
    return fail(system_error(kWhat, "fcntl(F_ADD_SEALS)", errno, "run Linux 5.1 or later"));
  }
  return memory;
}

MapMemory::MapMemory(MapMemory&& other) noexcept
    : fd_(std::move(other.fd_)), layout_(std::exchange(other.layout_, nullptr)) {}

MapMemory::~MapMemory() {
  if (layout_ != nullptr) munmap(layout_, sizeof *layout_);
}

}  // namespace phalanx::controlplane

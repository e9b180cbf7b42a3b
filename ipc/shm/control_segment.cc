#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "ipc/base/assert.h"
#include "ipc/shm/control_channel.h"

namespace phalanx::shm {
namespace {

constexpr const char* kWhat = "cannot share memory between data plane and control plane";

Expected<ControlLayout*, Error> map_layout(int fd) {
  // All pages now: the rings are touched bit by bit, and would look like a leak for a day.
  void* at = mmap(nullptr, sizeof(ControlLayout), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                  fd, 0);
  if (at == MAP_FAILED) return fail(system_error(kWhat, "mmap", errno));
  return static_cast<ControlLayout*>(at);
}

}  // namespace

Expected<ControlSegment, Error> ControlSegment::create(const DataPlaneIdentity& identity) {
  PHX_CHECK(identity.obituary.size() <= kObituaryBytesMax);
  Fd memory(memfd_create("phalanx-control", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory) return fail(system_error(kWhat, "memfd_create", errno));
  if (ftruncate(memory.get(), sizeof(ControlLayout)) != 0)
    return fail(system_error(kWhat, "ftruncate", errno));
  if (fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return fail(system_error(kWhat, "fcntl(F_ADD_SEALS)", errno));
  }
  auto statistics = StatisticsMemory::create(identity.self, identity.pid, identity.workers);
  if (!statistics) return fail(std::move(statistics.error()));
  auto layout = map_layout(memory.get());
  if (!layout) return fail(std::move(layout.error()));
  ControlLayout& l =
      **layout;  // Fresh memfd pages are zero: rings are empty, no attempt is stored.
  l.version = kControlVersion;
  l.pid = identity.pid;
  l.witness = identity.witness;
  l.size = sizeof(ControlLayout);
  l.config_hash = identity.config_hash;
  l.self = identity.self;
  l.obituary_bytes = static_cast<std::uint32_t>(identity.obituary.size());
  std::copy(identity.obituary.begin(), identity.obituary.end(), l.obituary);
  l.magic = kControlMagic;
  return ControlSegment(std::move(memory), *layout, std::move(*statistics));
}

Expected<ControlSegment, Error> ControlSegment::map(Fd memory, Fd statistics) {
  struct stat st {};
  if (fstat(memory.get(), &st) != 0) return fail(system_error(kWhat, "fstat", errno));
  const int seals = fcntl(memory.get(), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 ||
      st.st_size != static_cast<off_t>(sizeof(ControlLayout))) {
    return fail(Error{.attempted = kWhat,
                      .observed = "a segment of " + std::to_string(st.st_size) + " bytes, " +
                                  std::to_string(sizeof(ControlLayout)) + " expected",
                      .remedy = "run phalanx-dataplane and phalanx-controlplane of one version"});
  }
  auto counted = StatisticsMemory::map(std::move(statistics));
  if (!counted) return fail(std::move(counted.error()));
  auto layout = map_layout(memory.get());
  if (!layout) return fail(std::move(layout.error()));
  ControlSegment segment(std::move(memory), *layout, std::move(*counted));
  const ControlLayout& l = **layout;
  if (l.magic != kControlMagic || l.version != kControlVersion || l.size != sizeof(ControlLayout)) {
    return fail(Error{.attempted = kWhat,
                      .observed = "segment version " + std::to_string(l.version) + ", " +
                                  std::to_string(kControlVersion) + " expected",
                      .remedy = "run phalanx-dataplane and phalanx-controlplane of one version"});
  }
  return segment;
}

ControlSegment::ControlSegment(ControlSegment&& other) noexcept
    : memory_(std::move(other.memory_)),
      layout_(std::exchange(other.layout_, nullptr)),
      statistics_(std::move(other.statistics_)) {}

ControlSegment& ControlSegment::operator=(ControlSegment&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(layout_, other.layout_);
  std::swap(statistics_, other.statistics_);
  return *this;
}

ControlSegment::~ControlSegment() {
  if (layout_ != nullptr) munmap(layout_, sizeof(ControlLayout));
}

DataPlaneIdentity ControlSegment::identity() const {
  const std::size_t bytes = std::min<std::size_t>(layout_->obituary_bytes, kObituaryBytesMax);
  return {.self = layout_->self,
          .pid = layout_->pid,
          .witness = layout_->witness,
          .config_hash = layout_->config_hash,
          .obituary = {layout_->obituary, layout_->obituary + bytes},
          .workers = statistics_.workers()};
}

}  // namespace phalanx::shm

#include "ipc/shm/delivery_log.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <new>
#include <string>

#include "ipc/base/memory_node.h"

namespace phalanx::shm {

Expected<std::unique_ptr<DeliveryLog>, Error> DeliveryLog::create(std::uint64_t bytes) {
  const std::uint64_t ring_bytes =
      std::bit_ceil(std::clamp(bytes, kChannelRingBytesMin, kDeliveryLogBytesMax));
  const auto failed = [](const char* call) {
    return fail(system_error("cannot make the shared log of a lane", call, errno,
                             "lower client.shared_log, or free some memory"));
  };
  std::unique_ptr<DeliveryLog> log(new DeliveryLog);
  log->memory_.reset(memfd_create("phalanx-delivery-log", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!log->memory_) return failed("memfd_create");
  const int fd = log->memory_.get();
  if (ftruncate(fd, static_cast<off_t>(kDeliveryLogPageBytes + ring_bytes)) != 0)
    return failed("ftruncate");
  keep_node(fd, kDeliveryLogPageBytes + ring_bytes);
  // Now, or a worker would find out in the middle of a turn that there is no memory for it.
  if (fallocate(fd, 0, 0, static_cast<off_t>(kDeliveryLogPageBytes + ring_bytes)) != 0)
    return failed("fallocate");
  auto page = MirroredRing::map(fd, 0, kDeliveryLogPageBytes);
  if (!page) return fail(page.error());
  auto ring = MirroredRing::map(fd, kDeliveryLogPageBytes, ring_bytes);
  if (!ring) return fail(ring.error());
  log->page_memory_ = std::move(*page);
  log->ring_ = std::move(*ring);
  // Behind our own mappings: no other one can write, no hole be punched, whoever has a descriptor.
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
  if (fcntl(fd, F_ADD_SEALS, kSeals) != 0) return failed("fcntl(F_ADD_SEALS)");
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  log->read_only_.reset(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!log->read_only_) return failed("open(/proc/self/fd)");

  log->page_ = new (log->page_memory_.data()) DeliveryLogPage{};
  log->page_->magic = kDeliveryLogMagic;
  log->page_->version = kDeliveryLogVersion;
  log->page_->struct_bytes = sizeof(DeliveryLogPage);
  log->page_->ring_bytes = ring_bytes;
  log->events_ = EventProducer(
      SpscProducer(log->page_->tail, log->free_to_, log->ring_.data(), ring_bytes), {});
  return log;
}

}  // namespace phalanx::shm

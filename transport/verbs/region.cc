#include "transport/verbs/region.h"

#include <sys/mman.h>

#include <cerrno>
#include <utility>

#include "transport/verbs/locked_memory.h"

namespace phalanx::transport::verbs {
namespace {

constexpr std::size_t kHugepage = 2U << 20;

void* map(std::size_t bytes, int flags) {
  return mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

}  // namespace

Expected<Region, Error> Region::create(ibv_pd* pd, std::size_t bytes) {
  const std::size_t rounded = (bytes + kHugepage - 1) / kHugepage * kHugepage;
  const Registration buffers{.what = "packet buffers", .bytes = rounded};
  if (auto error = check_lockable(buffers)) return fail(std::move(*error));
  void* at = map(rounded, MAP_HUGETLB | MAP_POPULATE);
  if (at == MAP_FAILED) at = map(rounded, MAP_POPULATE);
  if (at == MAP_FAILED) {
    return fail(
        system_error("cannot map " + std::to_string(rounded >> 10) + " KiB of packet buffers",
                     "mmap", errno, "free some memory"));
  }
  Region out(static_cast<std::byte*>(at), rounded);
  out.registration_ = calls::reg_mr(pd, at, rounded, calls::kWritable);
  if (out.registration_ == nullptr) return fail(registration_refused(buffers, errno));
  count_registered(rounded);
  return out;
}

Region::Region(Region&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(other.bytes_),
      registration_(std::exchange(other.registration_, nullptr)) {}

Region::~Region() {
  if (registration_ != nullptr) {
    calls::dereg_mr(registration_);
    count_released(bytes_);
  }
  if (data_ != nullptr) munmap(data_, bytes_);
}

}  // namespace phalanx::transport::verbs

#include "transport/dpdk/pool_memory.h"

#include <rte_errno.h>
#include <rte_memory.h>
#include <sys/mman.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "ipc/base/bytes.h"
#include "ipc/shm/mirror_map.h"
#include "ipc/shm/mirrored_ring.h"
#include "transport/dpdk/eal.h"
#include "transport/dpdk/hugepages.h"

namespace phalanx::transport::dpdk {
namespace {

constexpr std::uint64_t kHugePageBytes = 2U << 20;

std::string attempt(std::uint64_t bytes) {
  return "cannot make " + std::to_string(bytes) + " bytes of packet memory";
}

/// DPDK addresses memory as this process does (--iova-mode=va), page by page.
bool make_known(std::span<std::byte> memory, std::uint64_t page_bytes) {
  std::vector<rte_iova_t> pages;
  for (std::uint64_t at = 0; at < memory.size(); at += page_bytes) {
    pages.push_back(reinterpret_cast<rte_iova_t>(memory.data() + at));
  }
  return rte_extmem_register(memory.data(), memory.size(), pages.data(),
                             static_cast<unsigned>(pages.size()), page_bytes) == 0;
}

}  // namespace

Expected<PoolMemory, Error> PoolMemory::create(std::uint64_t bytes) {
  const bool huge = has_hugepages();
  const std::uint64_t size = round_up<std::uint64_t>(bytes, kHugePageBytes);
  if (huge) {
    if (auto there = check_hugepages(size); !there) return fail(std::move(there.error()));
  }
  // Plain pages do as well: where the hugepages are of 1 GiB, or somebody was quicker.
  auto fd = phalanx::shm::create_memory(
      size, {.name = "phalanx-frames", .hugetlb = huge, .prefault = true});
  if (!fd) return fail(std::move(fd.error()));
  const std::uint64_t page_bytes = phalanx::shm::page_bytes_of(fd->get());
  void* at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd->get(), 0);
  if (at == MAP_FAILED) return fail(system_error(attempt(size), "mmap", errno));
  const std::span memory(static_cast<std::byte*>(at), size);
  if (!make_known(memory, page_bytes)) {
    const std::string why = rte_strerror(rte_errno);
    munmap(at, size);
    return fail(Error{.attempted = attempt(size), .observed = "rte_extmem_register: " + why});
  }
  return PoolMemory(std::move(*fd), memory);
}

PoolMemory::PoolMemory(PoolMemory&& other) noexcept
    : fd_(std::move(other.fd_)), bytes_(std::exchange(other.bytes_, {})) {}

PoolMemory::~PoolMemory() {
  if (bytes_.empty()) return;
  rte_extmem_unregister(bytes_.data(), bytes_.size());
  munmap(bytes_.data(), bytes_.size());
}

}  // namespace phalanx::transport::dpdk

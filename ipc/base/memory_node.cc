#include "ipc/base/memory_node.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace phalanx {
namespace {

// By their numbers: their header belongs to libnuma, which is not needed for the rest.
constexpr int kPreferred = 1;  // MPOL_PREFERRED

thread_local std::optional<std::uint32_t> preferred;

/// The kernel takes one bit less than it is told that there are.
template <class Words>
constexpr unsigned long bits_of(const Words& words) {
  return sizeof words * 8 + 1;
}

}  // namespace

PreferNode::PreferNode(std::optional<std::uint32_t> node) noexcept {
  if (!node) return;
  std::uint64_t nodes[kWords] = {};
  if (*node >= kNodesMax) {
    error_ = EINVAL;
    return;
  }
  nodes[*node / 64] = std::uint64_t{1} << (*node % 64);
  if (syscall(SYS_get_mempolicy, &mode_before_, nodes_before_, bits_of(nodes_before_), nullptr,
              0UL) != 0 ||
      syscall(SYS_set_mempolicy, kPreferred, nodes, bits_of(nodes)) != 0) {
    error_ = errno;
    return;
  }
  in_force_ = true;
  preferred = node;
}

PreferNode::~PreferNode() {
  if (!in_force_) return;
  preferred.reset();
  (void)syscall(SYS_set_mempolicy, mode_before_, nodes_before_, bits_of(nodes_before_));
}

void keep_node(int fd, std::uint64_t bytes) noexcept {
  if (!preferred) return;
  // What is bound is the file: it stays so when this mapping, which nobody can touch, is gone.
  void* at = mmap(nullptr, bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (at == MAP_FAILED) return;
  std::uint64_t nodes[1024 / 64] = {};
  nodes[*preferred / 64] = std::uint64_t{1} << (*preferred % 64);
  (void)syscall(SYS_mbind, at, bytes, kPreferred, nodes, bits_of(nodes), 0UL);
  munmap(at, bytes);
}

}  // namespace phalanx

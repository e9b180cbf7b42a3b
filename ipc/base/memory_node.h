#pragma once

#include <cstdint>
#include <optional>

namespace phalanx {

/// As long as it lives, memory that the calling thread is the first to touch comes from one NUMA
/// node, as long as that has some. Then the thread goes on with what it had before. Cold: a few
/// system calls; it stays in the thread that made it. They do not nest.
class PreferNode {
 public:
  /// Of no node: nothing is changed.
  explicit PreferNode(std::optional<std::uint32_t> node) noexcept;
  ~PreferNode();
  PreferNode(const PreferNode&) = delete;
  PreferNode& operator=(const PreferNode&) = delete;

  /// 0, or why it could not be had: EPERM where a container's filter keeps the call back, EINVAL of
  /// a node that this process may have no memory of.
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  static constexpr unsigned kNodesMax = 1024;  ///< As many as any Linux has.
  static constexpr unsigned kWords = kNodesMax / 64;

  bool in_force_ = false;
  int error_ = 0;
  int mode_before_ = 0;
  std::uint64_t nodes_before_[kWords] = {};
};

/// Gives `bytes` of a fresh memfd the node of the calling thread's PreferNode for good: their pages
/// come from there whoever touches them first, be it another process. Pages that are there already
/// stay where they are. Does nothing where none is in force, the kernel does not let us, or the
/// pages are huge ones.
void keep_node(int fd, std::uint64_t bytes) noexcept;

}  // namespace phalanx

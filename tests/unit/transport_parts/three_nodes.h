#pragma once

#include <array>
#include <memory>
#include <vector>

#include "tests/unit/transport_parts/frames.h"

namespace phalanx::transport {

/// Nodes 1 to 3 in one process, driven step by step.
class ThreeNodes {
 public:
  /// Everyone says its number until everyone heard both others; then what was said is forgotten.
  [[nodiscard]] bool all_hear_all();
  /// Takes what comes, until it is quiet.
  void collect();

  Transport& node(NodeId id) { return *nodes[id - 1U]; }
  std::vector<Bytes>& got(NodeId id) { return got_[id - 1U]; }

  std::vector<std::unique_ptr<Transport>> nodes;

 private:
  std::array<std::vector<Bytes>, 3> got_;
};

/// What every wire between nodes of one host must do; `nodes` hear one another.
void brings_a_frame_to_the_peer_named(ThreeNodes& nodes);
void brings_a_frame_for_members_to_members(ThreeNodes& nodes);
void carries_the_longest_frame(ThreeNodes& nodes);
/// What a receiver does not take is dropped at the sender and counted; buffers do not run out.
void drops_what_does_not_fit(ThreeNodes& nodes);
void takes_back_what_was_lent(ThreeNodes& nodes);

}  // namespace phalanx::transport

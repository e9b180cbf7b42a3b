#pragma once

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "dataplane/core/core.h"
#include "dataplane/tape/core_tape.h"
#include "ipc/shm/mirrored_ring.h"

namespace phalanx::core::testing {

struct Sizes {
  std::uint32_t record = 4096;
  std::uint32_t window = 4096;
  std::uint32_t submit_window = 2048;
  std::uint64_t log = 64 * 1024;
  LaneId lanes = 1;
  std::uint32_t frame = 300;
  bool handover = true;
};

/// One core with its memory, and what its local reader saw.
struct TestNode {
  std::vector<shm::MirroredRing> rings;
  std::unique_ptr<Core> core;
  std::vector<std::string> seen;       ///< Per record: kind and payload, in order.
  std::vector<std::string> delivered;  ///< App payloads only.
  std::vector<bool> rows_can_wait;     ///< Of the rows it sent.
  bool reads = true;
  bool up = true;
  tape::CoreTape no_tape;
  tape::CoreTape* tape = nullptr;  ///< What the core is given is kept on it, if there is one.

  [[nodiscard]] tape::CoreTape& kept() noexcept { return tape != nullptr ? *tape : no_tape; }
};

/// N cores over a wire that drops, repeats and overtakes by a seed. Time moves with step().
class Bench {
 public:
  explicit Bench(std::size_t nodes, const Sizes& sizes = {}, std::uint32_t seed = 1);

  /// Freezes `nodes`, plans from their reports and carries the recovery out. Indices from 0.
  void change_view(const std::vector<std::size_t>& nodes);
  bool submit(std::size_t node, const std::string& text, LaneId lane = 0, std::uint8_t flags = 0);
  bool submit(std::size_t node, const RecordHeader& header, std::span<const std::byte> payload,
              LaneId lane);
  void step(std::size_t turns = 1);
  [[nodiscard]] Member member(std::size_t node) const;
  [[nodiscard]] CoreConfig config(std::size_t node) const;
  TestNode& operator[](std::size_t node) { return nodes_[node]; }

  int drop_percent = 0;
  int duplicate_percent = 0;
  int overtake_percent = 0;
  TimeNs now = kSecond;

 private:
  struct InFlight {
    std::size_t to;
    ViewId key;
    wire::FrameHeader header;
    std::vector<std::byte> payload;
  };
  void read(TestNode& node);
  void send(std::size_t from);
  void deliver(const InFlight& frame);
  [[nodiscard]] bool chance(int percent) { return static_cast<int>(random_() % 100) < percent; }

  Sizes sizes_;
  std::vector<TestNode> nodes_;
  std::deque<InFlight> wire_;
  std::mt19937 random_;
  std::uint64_t sequence_ = 0;
};

/// The plan of a representative that got these reports, from members in the same order.
[[nodiscard]] wire::Plan plan_of(const ViewId& attempt, const std::vector<Member>& members,
                                 const std::vector<wire::Report>& reports);

}  // namespace phalanx::core::testing

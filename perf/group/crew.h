#pragma once

#include <sys/types.h>

#include <vector>

#include "controlplane/cli/demo/cluster.h"
#include "perf/group/board.h"

namespace phalanx::perf {

/// The clients of a group benchmark, one a node, and the board they share with it. Ends them.
class GroupCrew {
 public:
  /// Starts all and waits until each sees all of them in the group.
  [[nodiscard]] static Expected<GroupCrew, Error> start(const cli::DemoCluster& cluster);
  GroupCrew(GroupCrew&& other) noexcept;
  GroupCrew& operator=(GroupCrew&&) = delete;
  ~GroupCrew();

  [[nodiscard]] GroupBoard& board() noexcept { return *board_; }
  [[nodiscard]] GroupSlot& slot(std::size_t client) noexcept { return board_->slots[client]; }
  [[nodiscard]] std::size_t size() const noexcept { return processes_.size(); }
  [[nodiscard]] const std::vector<pid_t>& processes() const noexcept { return processes_; }

  /// Waits for a condition on the board; an Error when a client fails, the user stops it, or it
  /// takes 30 s.
  [[nodiscard]] Expected<void, Error> await(const char* what, bool (*done)(GroupCrew&));

 private:
  GroupCrew() = default;

  GroupBoard* board_ = nullptr;
  std::vector<pid_t> processes_;
};

}  // namespace phalanx::perf

#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "controlplane/cli/demo/board.h"
#include "controlplane/cli/demo/cluster.h"
#include "controlplane/cli/demo/options.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"

namespace phalanx::cli {

/// The demo's client processes and the board they share with the orchestrator. At least one a
/// node; the first sits with the orderer.
class DemoCrew {
 public:
  [[nodiscard]] static Expected<DemoCrew, Error> start(const DemoOptions& options,
                                                       const DemoCluster& cluster);
  DemoCrew(DemoCrew&&) noexcept;
  DemoCrew& operator=(DemoCrew&&) = delete;
  ~DemoCrew();

  /// Waits until every client sees all of them in the group.
  [[nodiscard]] Expected<void, Error> wait_joined(TimeNs patience);

  [[nodiscard]] Board& board() noexcept { return *board_; }
  [[nodiscard]] std::size_t size() const noexcept { return processes_.size(); }
  [[nodiscard]] ClientSlot& slot(std::size_t client) noexcept { return board_->slots[client]; }
  [[nodiscard]] pid_t process(std::size_t client) const { return processes_[client]; }
  /// The node, from 1, of a client.
  [[nodiscard]] std::size_t node_of(std::size_t client) const noexcept {
    return client % nodes_ + 1;
  }
  /// Why the run cannot go on: a client that failed or ended; empty: none.
  [[nodiscard]] std::string trouble();

 private:
  DemoCrew() = default;

  Fd memory_;
  Board* board_ = nullptr;
  std::vector<pid_t> processes_;
  std::size_t nodes_ = 0;
};

/// Maps the board that a client process was handed; nullptr when `fd` is none.
[[nodiscard]] Board* map_board(int fd);

}  // namespace phalanx::cli

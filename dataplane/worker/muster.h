#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "ipc/base/ids.h"
#include "ipc/shm/control_channel.h"
#include "transport/wire/messages.h"

namespace phalanx::worker {

/// Makes one answer of those of all workers of a data plane: a view is one for all lanes, so its
/// freeze, recovery and install are done when every worker says so. Sans-I/O: orders and answers
/// in, events for the control plane out. One thread. Cold: it allocates.
///
/// Every worker is given the same orders in the same sequence and decides from them alone whether
/// it installs, so all of them do or none: that is checked.
class Muster {
 public:
  /// `workers`: 2 or more. Lane l of `lanes` is worker (l mod workers)'s.
  Muster(std::size_t workers, LaneId lanes);

  /// All workers are told this now, `attempt` being what it is about: what was answered to an
  /// earlier order of the kind counts no more.
  void order(const shm::Command& command, const ViewId& attempt);

  /// Whether all hold the cut and the tails of this attempt. Before, none may be told to install.
  [[nodiscard]] bool recovered(const ViewId& attempt) const noexcept {
    return recovery_.of == attempt && recovery_.done;
  }

  /// What a worker said. Returns what is to be told to the control plane, if anything.
  [[nodiscard]] std::optional<shm::Event> answer(std::size_t worker, shm::Event event);

 private:
  /// Who of all has answered an order.
  struct Round {
    ViewId of;
    std::uint32_t answered = 0;  ///< A bit a worker.
    bool done = false;
    bool refused = false;
  };

  [[nodiscard]] bool complete(Round& round, std::size_t worker, const ViewId& view) const noexcept;
  [[nodiscard]] std::optional<shm::Event> frozen(std::size_t worker, const shm::Event& event);
  [[nodiscard]] std::optional<shm::Event> refused(shm::Event event);
  [[nodiscard]] std::optional<shm::Event> groups(std::size_t worker, shm::Event event);
  [[nodiscard]] std::optional<shm::Event> keys_held(std::size_t worker, shm::Event event);

  std::size_t workers_;
  LaneId lanes_;
  Round freeze_;
  std::vector<wire::Report> reports_;  ///< Of each worker, in this freeze.
  Round recovery_;
  Round install_;
  Round listing_;
  std::uint32_t token_ = 0;
  std::vector<std::byte> listed_;
  std::vector<std::deque<shm::Event>> keys_;  ///< Answers of each that have no counterpart yet.
};

}  // namespace phalanx::worker

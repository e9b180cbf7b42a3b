#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "controlplane/daemon/peer_book.h"
#include "controlplane/membership/membership.h"
#include "controlplane/quorum/quorum.h"
#include "ipc/base/time_ns.h"
#include "ipc/shm/control_channel.h"

namespace phalanx::controlplane {

/// All that `phalanx status` shows, gathered at one moment. Borrows; nullptr: not there.
struct StatusSources {
  const config::Config& config;
  std::string_view
      state;  ///< "starting" without a data plane, else the membership's, or "leaving".
  const membership::Membership* membership = nullptr;
  const quorum::Quorum* quorum = nullptr;
  TimeNs device_heard = 0;  ///< When the quorum device answered last; 0: never.
  const shm::DataPlaneIdentity* dataplane = nullptr;  ///< Running.
  std::uint32_t dataplane_starts = 0;
  std::optional<shm::WorkerStatus> worker;  ///< All of them taken together.
  std::vector<std::pair<std::string_view, std::uint64_t>> counters;
  std::vector<std::pair<std::string, std::uint64_t>> driver_counters;
  const shm::StatisticsMemory* statistics = nullptr;  ///< What each of the workers shows.
  const PeerBook* book = nullptr;                     ///< nullptr: no management address.
  bool link_up = true;
  std::string_view interface;
  TimeNs now = 0;
};

/// The shape is in README.md; the CLI and the tests read it.
[[nodiscard]] nlohmann::json status_json(const StatusSources& sources);

}  // namespace phalanx::controlplane

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "controlplane/daemon/call_server.h"
#include "controlplane/daemon/event_loop.h"
#include "controlplane/daemon/map_memory.h"
#include "controlplane/map/service.h"
#include "controlplane/map/store.h"
#include "controlplane/security/acl.h"
#include "ipc/base/fd.h"

namespace phalanx::controlplane {

/// Serves the configuration and the statistics map on map.sock: takes calls to map::Service and
/// brings replies and wakes back. Bounded in clients; one that does not read its wakes, or sends
/// what no library sends, is cut off. One thread.
class MapServer {
 public:
  static constexpr unsigned kClientsMax = 2048;
  /// Of these, for root and the daemon's own user: an operator always gets in.
  static constexpr unsigned kClientsOfAdmins = 64;
  /// For each other user: one must not keep the rest out, nor the loop busy.
  static constexpr unsigned kClientsOfUser = 256;
  /// For so long a computed statistic is told again: each asks the worker for its groups.
  static constexpr TimeNs kStatisticsAge = 100 * kMillisecond;

  using Computed = std::function<void(const map::Statistics& statistics)>;
  /// Computes the statistics, now or later, and calls `done` once. One question at a time.
  using Compute = std::function<void(Computed done)>;

  MapServer(EventLoop& loop, Fd listener, security::Acl acl, MapMemory memory, Compute compute);

  /// For those who come from now on.
  void set_acl(security::Acl acl) { acl_ = std::move(acl); }

  /// For keys of the daemon's own; call changed() after a batch of them.
  [[nodiscard]] map::Store& store() noexcept { return store_; }
  void changed();

  /// What the server itself has to tell: "stats.map.*".
  void add_statistics(map::Statistics& statistics) const;

 private:
  /// A call that waits for statistics.
  struct Asked {
    CallServer::Client client = 0;
    phx_ipc_request number = 0;
    std::size_t reply_bytes_max = 0;
    map::Service::Question question;
  };

  void serve(const CallServer::Request& request);
  void leave(CallServer::Client client);
  void ask_statistics(Asked asked);
  void answer_statistics();
  void wake_sleepers();

  security::Acl acl_;
  MapMemory memory_;
  map::Store store_;
  map::Service service_;
  Compute compute_;
  std::uint64_t misused_ = 0;   ///< Clients cut off for a call that no library makes.
  map::Statistics statistics_;  ///< As of `computed_at_`.
  TimeNs computed_at_ = 0;
  bool computing_ = false;
  std::vector<Asked> asking_;  ///< Computed once for all of them.
  CallServer server_;
};

}  // namespace phalanx::controlplane

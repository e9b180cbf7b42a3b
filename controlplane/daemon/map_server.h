#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "controlplane/daemon/event_loop.h"
#include "controlplane/daemon/map_memory.h"
#include "controlplane/map/service.h"
#include "controlplane/map/store.h"
#include "controlplane/security/acl.h"
#include "ipc/base/fd.h"

namespace phalanx::controlplane {

/// Serves the configuration and the statistics map on map.sock: takes packets to map::Service and
/// brings replies and wakes back. Bounded in clients; a client that does not read its replies, or
/// sends what no library sends, is cut. One thread.
class MapServer {
 public:
  static constexpr std::size_t kClientsMax = 2048;
  /// Of these, for root and the daemon's own user: an operator always gets in.
  static constexpr std::size_t kClientsOfAdmins = 64;
  /// For each other user: one must not keep the rest out, nor the loop busy.
  static constexpr std::size_t kClientsOfUser = 256;
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
  using ClientId = map::Service::ClientId;
  struct Connection {
    Fd fd;
    Watch watch;
    std::vector<std::byte> question;  ///< That waits for statistics.
    bool admin = false;
    uid_t uid = 0;
  };

  void on_connect();
  void admit(Fd client);
  [[nodiscard]] std::size_t user_has(uid_t user) const;
  void serve(ClientId id, std::uint32_t events);
  /// False: the client is gone, or is not to be read for now.
  [[nodiscard]] bool serve_one(ClientId id, Connection& connection);
  void ask_statistics(ClientId id, Connection& connection, std::span<const std::byte> question);
  void answer_statistics();
  void wake_sleepers();
  void drop(ClientId id);

  EventLoop& loop_;
  Fd listener_;
  security::Acl acl_;
  MapMemory memory_;
  map::Store store_;
  map::Service service_;
  Compute compute_;
  std::size_t clients_max_;
  std::map<ClientId, Connection> connections_;
  ClientId next_id_ = 1;
  std::size_t strangers_ = 0;             ///< Clients that are no administrators,
  std::map<uid_t, std::size_t> of_user_;  ///< and how many of them are whose.
  std::uint64_t refused_ = 0;             ///< At the door.
  map::Statistics statistics_;            ///< As of `computed_at_`.
  TimeNs computed_at_ = 0;
  std::vector<ClientId> asking_;   ///< Wait for statistics; computed once for all of them.
  std::vector<std::byte> packet_;  ///< The last one received.
  std::vector<std::byte> reply_;
  Watch watch_;
};

}  // namespace phalanx::controlplane

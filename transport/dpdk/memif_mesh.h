#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/ids.h"
#include "transport/dpdk/interrupt_gate.h"
#include "transport/dpdk/port.h"
#include "transport/shm/host_sockets.h"

namespace phalanx::transport::dpdk {

struct MemifOptions {
  NodeId self = 0;
  std::vector<NodeId> nodes;      ///< Every configured node; `self` among them is skipped.
  std::string directory;          ///< Of the sockets, the same for all nodes of the host.
  std::uint32_t frame_bytes = 0;  ///< Longest frame.
  std::string label;              ///< Before the names of its ports; another for each mesh.
};

/// A memif port for each peer of this host. The lower id listens, the higher one connects: again
/// and again, since either may be killed at any time. A link that is down costs a poller nothing.
///
/// The interrupt thread changes the links, while the poller stands aside; the poller reads them.
class MemifMesh final : public InterruptGate::Client {
 public:
  /// Each way of each link. Long enough for lane.window at its default: nodes that share cores go
  /// on for a scheduler's slice before they answer, and a shorter window leaves the sender idle.
  static constexpr std::uint16_t kRingFrames = 1024;

  struct Link {
    NodeId peer;
    Port port;
    bool listens = false;
    bool up = false;  ///< Both ends are there.
    TimeNs try_at = 0;
  };

  MemifMesh(MemifOptions options) : options_(std::move(options)) {}
  ~MemifMesh() override;
  /// Ports take received frames from `pool`. Links come up later, by themselves.
  [[nodiscard]] Expected<void, Error> open(rte_mempool* pool);

  [[nodiscard]] const std::vector<Link>& links() const noexcept { return links_; }
  [[nodiscard]] const Poller& poller() const noexcept { return poller_; }

  Poller& poller() noexcept override { return poller_; }
  [[nodiscard]] int listener() const noexcept override { return listener_; }
  bool wants_tending(TimeNs now) override;
  void tend(TimeNs now) override;

 private:
  [[nodiscard]] bool may_connect(const Link& link, TimeNs now) const;
  [[nodiscard]] Expected<void, Error> add_link(NodeId peer, rte_mempool* pool);

  MemifOptions options_;
  Poller poller_;
  std::optional<shm::HostSockets> sockets_;  ///< Removed after the ports are closed.
  std::vector<Link> links_;
  int listener_ = -1;  ///< The driver's.
  bool watched_ = false;
};

}  // namespace phalanx::transport::dpdk

#include "transport/dpdk/memif_mesh.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "ipc/base/bytes.h"

namespace phalanx::transport::dpdk {
namespace {

/// Time for the two sides to exchange what they must before another try.
constexpr TimeNs kHandshake = kSecond;
/// Before another try at a peer that lives but does not listen yet.
constexpr TimeNs kNotYet = 20 * kMillisecond;

/// The driver's own descriptor that listens at `path`; -1: none.
int listener_at(const std::string& path) noexcept {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const int end = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 65536));
  for (int fd = 0; fd < end; ++fd) {
    int listens = 0;
    socklen_t length = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) != 0 || listens == 0) continue;
    sockaddr_un address{};
    length = sizeof address;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0 &&
        address.sun_family == AF_UNIX && path == address.sun_path) {
      return fd;
    }
  }
  return -1;
}

}  // namespace

MemifMesh::~MemifMesh() {
  poller_.leave();
  auto& gate = InterruptGate::instance();
  const std::lock_guard lock(gate.mutex());
  links_.clear();
  if (watched_) gate.remove(*this);
}

Expected<void, Error> MemifMesh::open(rte_mempool* pool) {
  auto sockets = shm::HostSockets::open(options_.directory, options_.self);
  if (!sockets) return fail(std::move(sockets.error()));
  sockets_.emplace(std::move(*sockets));
  links_.reserve(options_.nodes.size());
  auto& gate = InterruptGate::instance();
  // First the gate: once a link listens, peers may come.
  if (auto added = gate.add(*this); !added) return added;
  watched_ = true;
  const std::lock_guard lock(gate.mutex());
  for (const NodeId peer : options_.nodes) {
    if (peer == options_.self) continue;
    if (auto added = add_link(peer, pool); !added) return added;
  }
  listener_ = listener_at(sockets_->path_of(options_.self));
  return {};
}

Expected<void, Error> MemifMesh::add_link(NodeId peer, rte_mempool* pool) {
  const bool listens = options_.self < peer;
  const NodeId server = listens ? options_.self : peer;
  const NodeId client = listens ? peer : options_.self;
  // A listener serves all its peers; the client's id says which link is meant.
  const std::string device = "net_memif_" + options_.label + std::to_string(options_.self) + "_" +
                             std::to_string(peer) + ",role=" + (listens ? "server" : "client") +
                             ",id=" + std::to_string(client) +
                             ",socket=" + sockets_->path_of(server) + ",socket-abstract=no,bsize=" +
                             std::to_string(round_up<std::uint32_t>(options_.frame_bytes, 64)) +
                             ",rsize=" + std::to_string(std::bit_width(kRingFrames) - 1);
  auto port =
      Port::open({.device = device, .mtu = 0, .queue_frames = kRingFrames, .pools = {pool}});
  if (!port) return fail(std::move(port.error()));
  links_.push_back({.peer = peer, .port = std::move(*port), .listens = listens});
  if (!listens || links_.back().port.start()) return {};
  return fail(Error{.attempted = "cannot start the memif port for node " + std::to_string(peer),
                    .observed = "the driver refuses to"});
}

bool MemifMesh::may_connect(const Link& link, TimeNs now) const {
  return !link.listens && !link.port.has_link() && now >= link.try_at &&
         sockets_->is_alive(link.peer);
}

bool MemifMesh::wants_tending(TimeNs now) {
  return std::any_of(links_.begin(), links_.end(),
                     [&](const Link& link) { return may_connect(link, now); });
}

void MemifMesh::tend(TimeNs now) {
  for (Link& link : links_) {
    const bool up = link.port.has_link();
    if (link.up && !up) link.try_at = now;
    link.up = up;
    if (!may_connect(link, now)) continue;
    // Stopped first: the driver makes a connection only when a port starts.
    link.port.stop();
    link.try_at = now + (link.port.start() ? kHandshake : kNotYet);
  }
}

}  // namespace phalanx::transport::dpdk

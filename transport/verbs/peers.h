#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "transport/verbs/calls.h"
#include "transport/verbs/gid.h"
#include "transport/verbs/verbs_transport.h"

namespace phalanx::transport::verbs {

/// Which queue pair of which port sent a frame.
struct Source {
  ibv_gid gid{};
  std::uint32_t queue_pair = 0;
  std::uint16_t lid = 0;  ///< On InfiniBand; else 0.

  [[nodiscard]] bool is(const Source& other) const noexcept {
    return queue_pair == other.queue_pair && lid == other.lid && same(gid, other.gid);
  }
};

struct Peer {
  NodeId node = 0;
  ibv_gid configured{};  ///< Where it has to be; zero on InfiniBand before it said so.
  ibv_gid candidate{};   ///< Announced since it was proven: waits for an authentic frame. Or zero.
  Source at{};
  ibv_ah* handle = nullptr;  ///< Null until it was heard.
  ibv_ah* old = nullptr;     ///< Replaced, perhaps still used by what was posted until then.
  std::uint64_t old_until = 0;
  TimeNs refused_until = 0;  ///< A handle was refused: until then none is asked for.
  bool proven = false;       ///< An authentic frame came from there; else it was only announced.
  bool gid_proven = false;   ///< One ever did: a LID may change, not the GID.
  bool member = false;       ///< Of the last set_members().
  TimeNs believed_at = 0;    ///< When an announcement was last taken up.
  const char* misfit = "";   ///< What did not fit in an announcement, as it was told last.
  std::uint32_t misfit_value = 0;
  TimeNs misfit_at = 0;
};

/// Where unicast to each peer goes. On Ethernet a node's address is its GID; on InfiniBand the GID
/// is what an announcement from the node's address says, and no frame from another one teaches
/// anything; once it was proven, another GID needs an authentic frame from there, too. One thread.
/// Owns the handles: nothing may be posted with one any more when this ends.
class Peers {
 public:
  Peers(const std::vector<VerbsNode>& nodes, NodeId self, bool infiniband);
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;
  ~Peers();

  [[nodiscard]] const Peer* find(NodeId node) const noexcept;
  /// A system call by `make()`, once for each new place of a peer, and once a second while that is
  /// refused, as it may wait; else a comparison. False: it comes from an address that is not the
  /// node's.
  template <typename Make>
  bool learn(NodeId node, const Source& from, std::uint64_t posted, std::uint64_t completed,
             Make make) noexcept {
    Peer* peer = entry(node);
    if (peer == nullptr || (!same(peer->configured, from.gid) && !take_candidate(*peer, from.gid)))
      return false;
    peer->proven = peer->gid_proven = true;
    if (moved(*peer, from, completed)) replace(*peer, make(), from, posted);
    return true;
  }
  /// As learn(), of what nobody vouches for: it counts until the first authentic frame, and once a
  /// second, since each new place is a system call that may wait for the peer's MAC address.
  template <typename Make>
  bool announced(NodeId node, const Source& from, std::uint64_t posted, std::uint64_t completed,
                 TimeNs now, Make make) noexcept {
    Peer* peer = entry(node);
    if (peer == nullptr) return false;
    if (infiniband_) tell_gid(*peer, from.gid);
    if (!same(peer->configured, from.gid)) return infiniband_;  // There it is kept in mind.
    if (peer->proven || (peer->believed_at != 0 && now < peer->believed_at + kSecond)) return true;
    if (!moved(*peer, from, completed)) return true;
    peer->believed_at = now;
    replace(*peer, make(), from, posted);
    return true;
  }

  /// Whether what does not fit of a node is worth telling: not what was told of it last, and once a
  /// second, as anybody may have announced it.
  [[nodiscard]] bool is_news(NodeId node, const char* misfit, std::uint32_t value,
                             TimeNs now) noexcept;
  /// This port itself moved, so the others may have, and nobody can say so by frames: until the
  /// next authentic one of a peer its announcements count again.
  void doubt_all() noexcept;
  void set_members(std::span<const NodeId> members) noexcept;
  [[nodiscard]] std::span<const Peer> all() const noexcept { return peers_; }

 private:
  [[nodiscard]] Peer* entry(NodeId node) noexcept;
  [[nodiscard]] static bool moved(Peer& peer, const Source& from, std::uint64_t completed) noexcept;
  static void replace(Peer& peer, ibv_ah* made, const Source& from, std::uint64_t posted) noexcept;

  static bool take_candidate(Peer& peer, const ibv_gid& gid) noexcept;
  static void tell_gid(Peer& peer, const ibv_gid& gid) noexcept;

  bool infiniband_;
  std::vector<Peer> peers_;
};

}  // namespace phalanx::transport::verbs

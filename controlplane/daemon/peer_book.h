#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>

#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "transport/wire/management.h"

namespace phalanx::controlplane {

/// What became of a management datagram whose seal was right.
enum class BookVerdict : std::uint8_t {
  Vouched,      ///< The peer's control plane lives and vouches for its worker.
  LinkDown,     ///< It lives and says that its node's link is down.
  Dead,         ///< The worker that the message names is dead.
  Stranger,     ///< Not a configured peer.
  Replayed,     ///< Seen before, or older than what was seen, or from a process that was replaced.
  OtherConfig,  ///< Its cluster part of the configuration is not ours.
};
[[nodiscard]] std::string_view to_string(BookVerdict verdict) noexcept;

/// Judges opened management datagrams: who may say what, and only once. Sans-I/O.
class PeerBook {
 public:
  struct Peer {
    BootId control_plane;       ///< Of the process whose vouches count.
    BootId worker;              ///< For which it vouched last.
    std::uint64_t counter = 0;  ///< Its highest.
    TimeNs vouched_at = 0;      ///< 0: never.
    bool link_up = true;
    std::uint64_t config_hash = 0;  ///< As it said last; 0: never said.
    /// Control planes that were replaced; their datagrams are replays.
    std::array<BootId, 16> retired{};
    std::uint32_t retired_next = 0;
  };

  PeerBook(std::span<const NodeId> peers, std::uint64_t config_hash);

  [[nodiscard]] BookVerdict judge(const wire::ManagementMessage& message, TimeNs now);

  /// nullptr for a node that is not a configured peer.
  [[nodiscard]] const Peer* find(NodeId node) const;

 private:
  [[nodiscard]] BookVerdict judge_vouch(Peer& peer, const wire::ManagementMessage& message,
                                        TimeNs now);

  std::map<NodeId, Peer> peers_;
  std::uint64_t config_hash_;
};

}  // namespace phalanx::controlplane

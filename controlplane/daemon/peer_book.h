#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
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
  Ordered,      ///< It holds an order, or an answer to one, that was not seen before.
};
[[nodiscard]] std::string_view to_string(BookVerdict verdict) noexcept;

/// Why a peer is kept out, as its datagrams told last. A hint, but for the configuration's hash:
/// what cannot be opened proves nothing.
struct Refusal {
  enum class Reason : std::uint8_t { ConfigHash, ClusterKey, ProtocolVersion };
  Reason reason = Reason::ConfigHash;
  std::uint64_t theirs = 0;
  std::uint64_t mine = 0;
  std::uint64_t count = 0;  ///< Datagrams, since it was last as it should be.
};
/// "cluster_key", as `phalanx status --json` says it.
[[nodiscard]] std::string_view to_string(Refusal::Reason reason) noexcept;

/// Judges opened management datagrams: who may say what, and only once. Sans-I/O.
class PeerBook {
 public:
  struct Peer {
    BootId control_plane;       ///< Of the process whose vouches count.
    BootId worker;              ///< For which it vouched last.
    std::uint64_t counter = 0;  ///< Its highest.
    TimeNs heard_at = 0;        ///< Anything new from it.
    TimeNs vouched_at = 0;      ///< 0: never.
    bool link_up = true;
    std::uint64_t config_hash = 0;   ///< As it said last; 0: never said.
    std::optional<Refusal> refusal;  ///< Until it vouches as it should.
    /// Control planes that were replaced, and what counts of theirs were seen.
    struct Retired {
      BootId control_plane;
      std::uint64_t counter = 0;
    };
    std::array<Retired, 16> retired{};
    std::uint32_t retired_next = 0;
  };

  /// Another control plane of a peer is believed once the current one was silent for `silence`: a
  /// copy of an old datagram must not take the place of one that lives.
  PeerBook(std::span<const NodeId> peers, std::uint64_t config_hash, TimeNs silence);

  void set_silence(TimeNs silence) noexcept { silence_ = silence; }

  [[nodiscard]] BookVerdict judge(const wire::ManagementMessage& message, TimeNs now);

  /// A datagram that came from that peer's address could not be opened.
  void refuse(NodeId node, Refusal::Reason reason, const wire::ManagementDifference& difference);

  /// nullptr for a node that is not a configured peer.
  [[nodiscard]] const Peer* find(NodeId node) const;

 private:
  [[nodiscard]] static bool is_new(Peer& peer, const wire::ManagementMessage& message, TimeNs now,
                                   TimeNs silence);
  [[nodiscard]] BookVerdict judge_vouch(Peer& peer, const wire::ManagementMessage& message,
                                        TimeNs now);

  std::map<NodeId, Peer> peers_;
  std::uint64_t config_hash_;
  TimeNs silence_;
};

}  // namespace phalanx::controlplane

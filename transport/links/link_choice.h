#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"

namespace phalanx::transport {

inline constexpr std::size_t kLinksMax = 2;

/// Some of a node's links: bit L is link L.
using LinkSet = std::uint8_t;
inline constexpr LinkSet kAllLinks = (1U << kLinksMax) - 1;

/// Which of two links a node's frames go over, from what it hears over each and from what its peers
/// say that they hear. Sans-I/O and deterministic; no allocation.
///
/// A link carries when this node hears over it every member that it hears at all, and every member
/// says the same of its own hearing: so a cable that is cut one way only is left by both its ends,
/// and a member that died says nothing about any link.
class LinkChoice {
 public:
  /// What frames go over while both links carry.
  enum class Use : std::uint8_t { Healthiest, Both };

  struct Config {
    NodeId self = 0;
    Use use = Use::Healthiest;
    TimeNs silent_after = 0;  ///< A member that is this much more silent on one link than on the
                              ///< other is not heard over it.
    TimeNs settle = 1 * kSecond;  ///< How long the first link must carry before it is taken again.
  };

  explicit LinkChoice(const Config& config) noexcept : config_(config) {}

  /// Who counts from now on: members of the view, this node may be among them. New ones count as
  /// heard over every link just now.
  void set_members(std::span<const NodeId> members, TimeNs now) noexcept;

  /// A proven frame of `sender` came over link `over`; `hears` is its word for what it hears.
  void heard(NodeId sender, std::size_t over, LinkSet hears, TimeNs now) noexcept;

  /// The links over which every member is heard: what this node says of itself.
  [[nodiscard]] LinkSet hears() const noexcept;

  /// The links that frames for members go over now; never none.
  [[nodiscard]] LinkSet choose(TimeNs now) noexcept;

 private:
  struct Peer {
    NodeId node = 0;
    bool member = false;
    std::array<TimeNs, kLinksMax> heard_at{};  ///< 0: never.
    LinkSet hears = kAllLinks;
  };

  [[nodiscard]] Peer* find(NodeId node) noexcept;
  [[nodiscard]] LinkSet carrying() const noexcept;

  Config config_;
  std::array<Peer, kNodesMax> peers_{};
  std::size_t peer_count_ = 0;
  TimeNs first_carries_since_ = 0;  ///< 0: it does not.
  bool on_first_ = true;
};

}  // namespace phalanx::transport

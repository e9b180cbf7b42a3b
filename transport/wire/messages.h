#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ipc/base/ids.h"
#include "transport/wire/ballot.h"

namespace phalanx::wire {

/// Control messages, as plain data. Cold path: they allocate. Each has
///   void encode(const T&, std::vector<std::byte>& out);     (appends)
///   std::optional<T> decode_T(std::span<const std::byte>);  (empty unless every byte is right)
/// decode checks every count against kNodesMax, kLanesMax, kRangesMax and the bytes that are there,
/// that member lists are sorted, without duplicates and without node 0, and ranges sorted and
/// apart; that an attempt is never "none"; delivered and stable <= received; and of a plan: regular
/// <= cut, holdings without a gap up to the cut and held by members of their set, sets disjoint and
/// within the new members. encode() aborts on a message whose lists do not match its own counts.

enum class MessageKind : std::uint8_t { Hello = 1, Prepare, Refusal, Report, Plan, Done };

inline constexpr std::size_t kRangesMax = 64;
/// A prefix and `kRangesMax` ranges a member: who always takes the holder that reaches furthest
/// needs no more.
inline constexpr std::size_t kHoldingsMax = kNodesMax * (kRangesMax + 1);
/// Fits a plan of 64 nodes and 8 lanes with every holding that the limits above allow.
inline constexpr std::size_t kMessageBytesMax = std::size_t{1} << 20;

/// [from, to).
struct Range {
  Position from = 0;
  Position to = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

/// "I am here, this is whom I hear." The only message that a stranger's boot key may say anything
/// with; it earns an answer and nothing else.
struct Hello {
  ViewId view;                       ///< Installed view, or none.
  std::uint8_t view_members = 0;     ///< How many members it has; 0 with none.
  std::uint64_t sequence_seen = 0;   ///< Highest sequence seen in any attempt or view.
  std::uint64_t config_hash = 0;     ///< Of the cluster part of the configuration.
  std::uint32_t key_id_highest = 0;  ///< Of the cluster keys that this node would go over to.
  bool leaving = false;              ///< Orderly leave: take me out now.
  bool attempt_running = false;      ///< Joiners wait while this is so.
  std::vector<Member> heard;         ///< Whom I hear now, on every lane, sorted.
  friend bool operator==(const Hello&, const Hello&) = default;
};

struct Prepare {
  ViewId attempt;
  std::uint32_t key_id = 0;
  std::vector<Member> members;  ///< Sorted by node.
  friend bool operator==(const Prepare&, const Prepare&) = default;
};

/// The answer to a Prepare that is not higher than all this node has seen.
struct Refusal {
  ViewId attempt;
  std::uint64_t sequence_seen = 0;
  friend bool operator==(const Refusal&, const Refusal&) = default;
};

/// What one frozen lane holds of its old view.
struct LaneReport {
  Position received = 0;     ///< Contiguous log bytes.
  Position delivered = 0;    ///< Delivered log bytes, a record end.
  Position stable = 0;       ///< Known to be received by all members of the old view.
  Position stream_base = 0;  ///< Own stream position at which the old view began.
  Position stream_end = 0;   ///< First own stream byte that does not belong to the old view.
  std::vector<Range> held;   ///< Log ranges above `received`, sorted, at most kRangesMax.
  friend bool operator==(const LaneReport&, const LaneReport&) = default;
};

struct Report {
  ViewId attempt;
  ViewId old_view;  ///< None for a node that has installed none.
  std::vector<LaneReport> lanes;
  Ballot ballot;  ///< The data plane leaves it empty: its control plane fills it in.
  friend bool operator==(const Report&, const Report&) = default;
};

/// A stretch of old log that one member of the set sends to those of the set that lack it.
struct Holding {
  Range range;
  NodeId holder = 0;  ///< The lowest-ranked member of the set that holds it.
  friend bool operator==(const Holding&, const Holding&) = default;
};

struct LanePlan {
  Position cut =
      0;  ///< Longest prefix held by the union, in bytes; members round it down to a record end.
  Position regular =
      0;  ///< T: max of (delivered, stable) over the set; members round it down likewise.
  std::vector<Range>
      streams;  ///< [stream_base, stream_end) of each member of the set, in its order.
  std::vector<Holding>
      holdings;  ///< Cover [lowest received of the set, cut), in order, without a gap.
  friend bool operator==(const LanePlan&, const LanePlan&) = default;
};

/// Members that come from one old view together.
struct TransitionalSet {
  ViewId old_view;
  std::vector<Member> members;  ///< Sorted by node.
  std::vector<LanePlan> lanes;
  friend bool operator==(const TransitionalSet&, const TransitionalSet&) = default;
};

struct Plan {
  ViewId attempt;
  std::uint32_t key_id = 0;
  std::vector<Member> members;  ///< Of the new view, sorted by node.
  /// Stream base of each member in the new view (its reported stream_end): lane-major,
  /// stream_bases[lane * members.size() + rank].
  std::vector<Position> stream_bases;
  std::vector<TransitionalSet> sets;  ///< Only sets with an old view; sorted by old view.
  std::vector<Ballot> ballots;        ///< Of each member, by rank.
  friend bool operator==(const Plan&, const Plan&) = default;
};

struct Done {
  ViewId attempt;
  friend bool operator==(const Done&, const Done&) = default;
};

void encode(const Hello& hello, std::vector<std::byte>& out);
[[nodiscard]] std::optional<Hello> decode_hello(std::span<const std::byte> bytes);
void encode(const Prepare& prepare, std::vector<std::byte>& out);
[[nodiscard]] std::optional<Prepare> decode_prepare(std::span<const std::byte> bytes);
void encode(const Refusal& refusal, std::vector<std::byte>& out);
[[nodiscard]] std::optional<Refusal> decode_refusal(std::span<const std::byte> bytes);
void encode(const Report& report, std::vector<std::byte>& out);
[[nodiscard]] std::optional<Report> decode_report(std::span<const std::byte> bytes);
void encode(const Plan& plan, std::vector<std::byte>& out);
[[nodiscard]] std::optional<Plan> decode_plan(std::span<const std::byte> bytes);
void encode(const Done& done, std::vector<std::byte>& out);
[[nodiscard]] std::optional<Done> decode_done(std::span<const std::byte> bytes);

}  // namespace phalanx::wire

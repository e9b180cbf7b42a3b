#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/core/record.h"
#include "dataplane/core/view_record.h"
#include "ipc/base/ids.h"
#include "transport/wire/messages.h"

namespace phalanx::sim {

/// Ordinal of one incarnation (node and boot id) in the history.
using Incarnation = std::uint32_t;
/// Ordinal of a view in the history; 0 is "none".
using ViewIndex = std::uint32_t;
inline constexpr Incarnation kNobody = ~Incarnation{0};

/// One record that a client's node accepted.
struct Submission {
  Position position = 0;  ///< In its node's stream of the lane.
  std::uint32_t payload_bytes = 0;
  core::RecordKind kind = core::RecordKind::App;
  std::uint8_t flags = 0;
  ClientId client = 0;
  GroupId group = 0;
  std::uint64_t content = 0;      ///< Seed of the payload's bytes.
  bool opaque = false;            ///< Or, of bytes that are not drawn from it, their hash.
  ViewIndex heard_view = 0;       ///< What its node had delivered when it accepted this: the
  std::uint64_t heard_index = 0;  ///< first `heard_index` records of that view.
  ViewIndex sent_view = 0;        ///< The view it was first transmitted or ordered in; 0 not yet.
};

/// The bytes of [received contiguous) and what lies above.
struct Held {
  Position received = 0;
  std::vector<wire::Range> above;  ///< Sorted, apart.
  void add(Position from, Position to);
};

/// One lane's log in one view, as an onlooker on the wire and at the readers sees it.
struct LaneLog {
  std::vector<std::byte> bytes;  ///< Everything transmitted, from position 0.
  Position parsed = 0;
  std::vector<Position> record_ends;        ///< Of transmitted records that readers see, by index.
  std::vector<std::uint64_t> wire_records;  ///< Their fingerprints.
  std::vector<std::uint64_t> delivered;     ///< Fingerprints as first delivered anywhere, by index.
  std::uint64_t safe_delivered = 0;         ///< Index after the last safe record of a regular part.
  std::vector<Held> held;                   ///< By member rank.
};

/// How one reader went from one view to another; equal for all that went the same way.
struct Passage {
  std::uint64_t count = 0;
  std::uint64_t regular = 0;
  std::uint64_t hash = 0;
  Incarnation first = kNobody;
};

struct ViewFacts {
  ViewId id;
  std::vector<Member> members;
  std::vector<Incarnation> incarnations;  ///< By rank.
  std::vector<LaneLog> lanes;
  std::vector<ViewIndex> came_from;  ///< By rank: old view, valid when installed.
  std::vector<bool> installed;       ///< By rank.
  /// (lane, old view) -> how its first reader left the old view for this one.
  std::map<std::pair<LaneId, ViewIndex>, Passage> passages;
  /// (lane, old view) -> where the plan cut the old log; the rest of what is delivered are tails.
  std::map<std::pair<LaneId, ViewIndex>, Position> cuts;
  /// Who said who came along: (reader's rank, reader's old view, flags by rank).
  struct Claim {
    std::size_t rank = 0;
    ViewIndex old_view = 0;
    std::vector<bool> together;
  };
  std::vector<Claim> claims;
  [[nodiscard]] std::size_t rank_of(Incarnation who) const noexcept;  ///< members.size() if none.
};

/// A record that a reader got after its transitional event, kept until the view's end is named.
struct LateRecord {
  std::uint64_t fingerprint = 0;
  bool safe = false;
};

/// How far one incarnation's reader of one lane has come.
struct Reader {
  struct Cursor {
    std::size_t next = 0;     ///< Submission of that origin expected next.
    bool gap_allowed = true;  ///< Nothing heard yet since we came together.
  };
  ViewIndex view = 0;
  std::uint64_t index = 0;  ///< Records delivered in `view`.
  std::uint64_t hash = 0;   ///< Of all of them, in order.
  bool transitional = false;
  std::uint64_t regular = 0;  ///< `index` at the transitional event.
  std::vector<LateRecord> late;
  std::vector<Cursor> cursors;  ///< By incarnation.
  std::vector<bool> barrier;    ///< By rank: its group state was delivered.
  std::size_t barrier_missing = 0;
  /// Ordered joins of each member.
  std::map<NodeId, std::map<std::pair<GroupId, ClientId>, bool>> groups;
  Cursor& cursor(Incarnation origin);
};

struct OriginLane {
  std::vector<Submission> submissions;
  std::size_t unsent = 0;  ///< First submission without a view.
};

struct IncarnationFacts {
  Member member;
  bool alive = true;
  ViewIndex installed = 0;
  std::vector<OriginLane> origin;  ///< By lane.
  std::vector<Reader> readers;     ///< By lane.
};

/// What happened in a history, seen from outside the nodes. Checkers read it and each other never.
struct Facts {
  LaneId lanes = 1;
  std::vector<IncarnationFacts> incarnations;
  std::vector<ViewFacts> views{ViewFacts{}};
  std::map<ViewId, ViewIndex> view_index;

  [[nodiscard]] ViewIndex find_view(const ViewId& id) const;
  [[nodiscard]] Incarnation find_member(ViewIndex view, NodeId node) const noexcept;
  [[nodiscard]] std::string name(Incarnation who) const;  ///< "n3#7".
  [[nodiscard]] std::string name_view(ViewIndex view) const;
};

/// Where a record was delivered; computed once and handed to every checker.
struct Delivery {
  Incarnation who = kNobody;
  LaneId lane = 0;
  const core::RecordHeader& header;
  std::span<const std::byte> payload;
  std::uint64_t fingerprint = 0;
  Incarnation origin = kNobody;
  const Submission* submission = nullptr;  ///< nullptr for group states and hand-overs.
  std::size_t submission_index = 0;
};

/// A reader that leaves `old_view` for `view`, before its state is reset.
struct Crossing {
  Incarnation who = kNobody;
  LaneId lane = 0;
  ViewIndex old_view = 0;
  ViewIndex view = 0;
  const core::ViewRecord& record;
};

/// A data frame that is about to leave its sender.
struct SentFrame {
  Incarnation who = kNobody;
  ViewIndex view = 0;
  LaneId lane = 0;
  bool ordered = false;   ///< A range of the log, first sent or repaired.
  bool recovery = false;  ///< Sent during a view change.
  Position position = 0;
  std::span<const std::byte> payload;
};

[[nodiscard]] std::uint64_t fingerprint(const core::RecordHeader& header,
                                        std::span<const std::byte> payload) noexcept;
/// Readers see hand-overs too or not; an index counts neither.
[[nodiscard]] constexpr bool counts(core::RecordKind kind) noexcept {
  return kind == core::RecordKind::App || kind == core::RecordKind::Join ||
         kind == core::RecordKind::Leave || kind == core::RecordKind::GroupState;
}

}  // namespace phalanx::sim

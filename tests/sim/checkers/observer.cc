#include "tests/sim/checkers/observer.h"

#include <algorithm>
#include <cstring>

#include "dataplane/core/group_state.h"
#include "ipc/base/assert.h"
#include "tests/sim/checkers/violation.h"
#include "transport/sim/random.h"

namespace phalanx::sim {

using transport::mix64;

Observer::Observer(LaneId lanes, std::uint32_t window_bytes, std::uint32_t window_frames)
    : bounds_(window_bytes, window_frames) {
  facts_.lanes = lanes;
}

Incarnation Observer::on_boot(Member member) {
  IncarnationFacts fresh;
  fresh.member = member;
  fresh.origin.resize(facts_.lanes);
  fresh.readers.resize(facts_.lanes);
  facts_.incarnations.push_back(std::move(fresh));
  return static_cast<Incarnation>(facts_.incarnations.size() - 1);
}

void Observer::on_submit(Incarnation who, LaneId lane, Submission submission) {
  IncarnationFacts& me = facts_.incarnations[who];
  submission.heard_view = me.readers[lane].view;
  submission.heard_index = me.readers[lane].index;
  OriginLane& origin = me.origin[lane];
  if (!origin.submissions.empty() && submission.position <= origin.submissions.back().position) {
    violated("G4 FIFO and causality",
             facts_.name(who) + " gave a later record an earlier stream position");
  }
  origin.submissions.push_back(submission);
}

void Observer::on_send(Incarnation who, const wire::FrameHeader& header,
                       std::span<const std::byte> payload) {
  const ViewIndex view = facts_.incarnations[who].installed;
  if (view == 0) violated("G7 views", facts_.name(who) + " sends data before its first view");
  const bool ordered =
      header.type == wire::FrameType::Ordered || header.type == wire::FrameType::RecoverLog;
  const bool recovery = header.type == wire::FrameType::RecoverLog;
  const SentFrame frame{who, view, header.lane, ordered, recovery, header.position, payload};
  if (ordered) {
    LaneLog& log = facts_.views[view].lanes[header.lane];
    AgreedOrder::on_send(facts_, frame, log);
    bounds_.on_send(facts_, frame);
    append_log(log, view, header.lane, header.position, payload);
    log.held[facts_.views[view].rank_of(who)].add(header.position,
                                                  header.position + payload.size());
  } else if (header.type == wire::FrameType::Submit) {
    note_sent(who, header.lane, view, header.position, header.position + payload.size());
  }
}

void Observer::on_accept(Incarnation who, const wire::FrameHeader& header,
                         std::size_t payload_bytes) {
  if (header.type != wire::FrameType::Ordered && header.type != wire::FrameType::RecoverLog) return;
  ViewFacts& view = facts_.views[facts_.incarnations[who].installed];
  view.lanes[header.lane].held[view.rank_of(who)].add(header.position,
                                                      header.position + payload_bytes);
}

void Observer::append_log(LaneLog& log, ViewIndex view, LaneId lane, Position position,
                          std::span<const std::byte> payload) {
  const Position end = position + payload.size();
  if (end <= log.bytes.size() || position > log.bytes.size()) return;
  const std::size_t fresh = static_cast<std::size_t>(end - log.bytes.size());
  log.bytes.insert(log.bytes.end(), payload.end() - static_cast<std::ptrdiff_t>(fresh),
                   payload.end());
  parse_log(log, view, lane);
}

void Observer::parse_log(LaneLog& log, ViewIndex view, LaneId lane) {
  while (log.parsed + core::kRecordHeaderBytes <= log.bytes.size()) {
    const std::byte* at = log.bytes.data() + log.parsed;
    const core::RecordHeader header = core::decode_record_header(at);
    const Position end = log.parsed + core::record_bytes(header.payload_bytes);
    if (end > log.bytes.size()) break;
    if (counts(header.kind)) {
      log.record_ends.push_back(end);
      log.wire_records.push_back(
          fingerprint(header, {at + core::kRecordHeaderBytes, header.payload_bytes}));
      const Incarnation origin = facts_.find_member(view, header.origin);
      if (origin != kNobody && header.kind != core::RecordKind::GroupState) {
        note_sent(origin, lane, view, header.stream_position, header.stream_position + 1);
      }
    }
    log.parsed = end;
  }
}

void Observer::note_sent(Incarnation origin, LaneId lane, ViewIndex view, Position from,
                         Position to) {
  OriginLane& stream = facts_.incarnations[origin].origin[lane];
  while (stream.unsent < stream.submissions.size() &&
         stream.submissions[stream.unsent].position < to) {
    Submission& submission = stream.submissions[stream.unsent++];
    if (submission.position >= from && submission.sent_view == 0) submission.sent_view = view;
  }
}

void Observer::on_install(Incarnation who, const wire::Plan& plan, bool quorate,
                          const wire::Amendment& votes) {
  views_.on_install(facts_, who, plan);
  auto [at, fresh] =
      facts_.view_index.try_emplace(plan.attempt, static_cast<ViewIndex>(facts_.views.size()));
  if (fresh) {
    ViewFacts view;
    view.id = plan.attempt;
    view.members = plan.members;
    for (const Member& member : plan.members) {
      Incarnation found = kNobody;
      for (Incarnation i = 0; i < facts_.incarnations.size(); ++i) {
        if (facts_.incarnations[i].member == member) found = i;
      }
      if (found == kNobody)
        violated("G7 views", facts_.name(who) + " installs a view with a member that never was");
      view.incarnations.push_back(found);
    }
    view.lanes.resize(facts_.lanes);
    for (LaneLog& lane : view.lanes) lane.held.resize(plan.members.size());
    view.came_from.resize(plan.members.size());
    view.installed.resize(plan.members.size());
    for (const wire::TransitionalSet& set : plan.sets) {
      const auto lanes = static_cast<LaneId>(set.lanes.size());
      for (LaneId lane = 0; lane < lanes; ++lane) {
        view.cuts[{lane, facts_.find_view(set.old_view)}] = set.lanes[lane].cut;
      }
    }
    facts_.views.push_back(std::move(view));
  }
  ViewFacts& view = facts_.views[at->second];
  const std::size_t rank = view.rank_of(who);
  view.installed[rank] = true;
  view.came_from[rank] = facts_.incarnations[who].installed;
  VirtualSynchrony::on_install(facts_, at->second, rank, view.came_from[rank]);
  facts_.incarnations[who].installed = at->second;
  quorate_.on_install(facts_, who, quorate, votes);
}

void Observer::on_deliver(Incarnation who, LaneId lane, const core::LocalRecord& record) {
  ++delivered_;
  Reader& reader = facts_.incarnations[who].readers[lane];
  switch (record.header.kind) {
    case core::RecordKind::Transitional:
      if (reader.transitional)
        violated("G1 agreed order", facts_.name(who) + " has two transitional events in one view");
      reader.transitional = true;
      reader.regular = reader.index;
      return;
    case core::RecordKind::View:
      deliver_view(who, lane, record.payload);
      return;
    case core::RecordKind::HandOver:
      ++coverage_.handovers;
      return;
    case core::RecordKind::Pad:
      ++coverage_.pads;
      return;
    case core::RecordKind::App:
    case core::RecordKind::Join:
    case core::RecordKind::Leave:
    case core::RecordKind::GroupState:
      deliver_record(who, lane, record);
      return;
  }
  violated("G6 no invention", facts_.name(who) + " delivers a record of an unknown kind");
}

void Observer::deliver_record(Incarnation who, LaneId lane, const core::LocalRecord& record) {
  Reader& reader = facts_.incarnations[who].readers[lane];
  Delivery delivery{.who = who, .lane = lane, .header = record.header, .payload = record.payload};
  delivery.fingerprint = fingerprint(record.header, record.payload);
  delivery.origin = facts_.find_member(reader.view, record.header.origin);
  if (delivery.origin != kNobody && record.header.kind != core::RecordKind::GroupState) {
    const auto& sent = facts_.incarnations[delivery.origin].origin[lane].submissions;
    std::size_t index = reader.cursor(delivery.origin).next;
    if (index >= sent.size() || sent[index].position != record.header.stream_position) {
      index = static_cast<std::size_t>(
          std::lower_bound(sent.begin(), sent.end(), record.header.stream_position,
                           [](const Submission& s, Position p) { return s.position < p; }) -
          sent.begin());
    }
    if (index < sent.size() && sent[index].position == record.header.stream_position) {
      delivery.submission = &sent[index];
      delivery.submission_index = index;
    }
  }
  if (record.transitional != reader.transitional) {
    violated("G1 agreed order",
             facts_.name(who) + " marks a record as of the wrong part of its view");
  }
  NoInvention::on_deliver(facts_, delivery);
  Views::on_deliver(facts_, delivery);
  SelfDelivery::on_deliver(facts_, delivery);
  Causality::on_deliver(facts_, delivery);
  AgreedOrder::on_deliver(facts_, delivery);
  SafeDelivery::on_deliver(facts_, delivery);
  apply(reader, delivery);
}

void Observer::apply(Reader& reader, const Delivery& delivery) {
  history_hash_ = mix64(history_hash_ + delivery.fingerprint + delivery.who);
  const bool safe = (delivery.header.flags & core::kRecordSafe) != 0;
  if (reader.transitional) {
    reader.late.push_back({delivery.fingerprint, safe});
  } else {
    LaneLog& log = facts_.views[reader.view].lanes[delivery.lane];
    if (reader.index == log.delivered.size()) log.delivered.push_back(delivery.fingerprint);
    if (safe) log.safe_delivered = std::max(log.safe_delivered, reader.index + 1);
  }
  ++reader.index;
  reader.hash = mix64(reader.hash ^ delivery.fingerprint);
  if (delivery.submission != nullptr) {
    Submission& submission = facts_.incarnations[delivery.origin]
                                 .origin[delivery.lane]
                                 .submissions[delivery.submission_index];
    if (submission.sent_view == 0) submission.sent_view = reader.view;
    Reader::Cursor& cursor = reader.cursor(delivery.origin);
    cursor.next = delivery.submission_index + 1;
    cursor.gap_allowed = false;
  }
  apply_group(reader, delivery);
}

void Observer::apply_group(Reader& reader, const Delivery& delivery) {
  auto& joins = reader.groups[delivery.header.origin];
  const std::pair<GroupId, ClientId> key{delivery.header.group, delivery.header.client};
  if (delivery.header.kind == core::RecordKind::Join) {
    joins[key] = true;
  } else if (delivery.header.kind == core::RecordKind::Leave) {
    joins.erase(key);
  } else if (delivery.header.kind == core::RecordKind::GroupState) {
    joins.clear();
    if (delivery.payload.size() > 4) ++coverage_.group_states;
    (void)core::decode_group_state(delivery.payload, [&](const core::Membership& m) {
      joins[{m.group, m.client}] = true;
    });
    const std::size_t rank = facts_.views[reader.view].rank_of(delivery.origin);
    if (!reader.transitional && rank < reader.barrier.size() && !reader.barrier[rank]) {
      reader.barrier[rank] = true;
      --reader.barrier_missing;
    }
  }
}

void Observer::deliver_view(Incarnation who, LaneId lane, std::span<const std::byte> payload) {
  const auto record = core::decode_view_record(payload);
  if (!record) violated("G7 views", facts_.name(who) + " delivers a malformed view record");
  const ViewIndex index = facts_.find_view(record->view);
  if (index == 0)
    violated("G7 views", facts_.name(who) + " delivers a view that it did not install");
  Reader& reader = facts_.incarnations[who].readers[lane];
  ViewFacts& view = facts_.views[index];
  const ViewIndex old_view = reader.view;
  if (old_view != 0 && record->view <= facts_.views[old_view].id) {
    violated("G7 views", facts_.name(who) + " delivers " + to_string(record->view) + " after " +
                             facts_.name_view(old_view));
  }
  bool same = record->members.size() == view.members.size();
  for (std::size_t i = 0; same && i < view.members.size(); ++i)
    same = record->members[i].member == view.members[i];
  if (!same)
    violated("G7 views",
             facts_.name(who) + " delivers " + to_string(record->view) + " with other members");

  const Passage mine{reader.index, reader.transitional ? reader.regular : reader.index, reader.hash,
                     who};
  const Crossing crossing{who, lane, old_view, index, *record};
  ViewFacts::Claim claim{view.rank_of(who), old_view, {}};
  for (const auto& entry : record->members) claim.together.push_back(entry.transitional);
  if (old_view == 0) claim.together[claim.rank] = false;  // From nowhere, nobody comes along.
  VirtualSynchrony::on_claim(facts_, index, claim);
  view.claims.push_back(claim);
  if (old_view != 0) {
    AgreedOrder::on_cross(facts_, crossing, mine);
    VirtualSynchrony::on_cross(facts_, crossing, mine);
    SafeDelivery::on_cross(facts_, crossing);
    SelfDelivery::on_cross(facts_, crossing);
    coverage_.late_records += reader.late.size();
    if (!view.passages.try_emplace({lane, old_view}, mine).second) ++coverage_.joint_passages;
  }

  for (std::size_t rank = 0; rank < view.members.size(); ++rank) {
    if (claim.together[rank]) continue;
    reader.cursor(view.incarnations[rank]).gap_allowed = true;
    reader.groups.erase(view.members[rank].node);
  }
  // A view may end before its barrier: of whom did not get to say what it had, nothing is known.
  if (old_view != 0) {
    for (std::size_t rank = 0; rank < reader.barrier.size(); ++rank) {
      if (!reader.barrier[rank]) reader.groups.erase(facts_.views[old_view].members[rank].node);
    }
  }
  std::erase_if(reader.groups,
                [&](const auto& part) { return facts_.find_member(index, part.first) == kNobody; });
  reader.view = index;
  reader.index = reader.hash = reader.regular = 0;
  reader.transitional = false;
  reader.late.clear();
  reader.barrier.assign(view.members.size(), false);
  reader.barrier_missing = view.members.size();
  history_hash_ = mix64(history_hash_ + record->view.sequence);
}

}  // namespace phalanx::sim

#include "dataplane/worker/delivery.h"

namespace phalanx::worker {
namespace {

shm::MemberReason to_shm(ChangeReason reason) noexcept {
  switch (reason) {
    case ChangeReason::Left:
      return shm::MemberReason::Left;
    case ChangeReason::ClientDied:
      return shm::MemberReason::ClientDied;
    case ChangeReason::Evicted:
      return shm::MemberReason::Evicted;
    case ChangeReason::NodeLeft:
      return shm::MemberReason::NodeLeft;
    case ChangeReason::Joined:
      return shm::MemberReason::Joined;
    case ChangeReason::NodeJoined:
      return shm::MemberReason::NodeJoined;
  }
  return shm::MemberReason::None;
}

shm::GroupMember to_shm(const GroupMember& member, shm::MemberReason reason) noexcept {
  return {.node = member.node, .client = member.client, .pid = member.process, .reason = reason};
}

std::vector<shm::GroupMember> to_shm(const std::vector<MemberChange>& changes) {
  std::vector<shm::GroupMember> out;
  out.reserve(changes.size());
  for (const MemberChange& change : changes)
    out.push_back(to_shm(change.member, to_shm(change.reason)));
  return out;
}

}  // namespace

bool Delivery::deliver_changes(LaneId id, Lane& lane, const core::LocalRecord& record, TimeNs now) {
  if (!lane.applied) {
    lane.changes.clear();
    lane.table.apply(record, lane.changes);
    lane.applied = true;
    lane.step = lane.recipient = 0;
    if (id == 0 && lane.changes.view) view_ = lane.changes.view;
  }
  // Step 0 is for everyone: the transitional event or the node's view. One lane tells of it, the
  // first.
  if (lane.step == 0) {
    if (id == 0 && (lane.changes.transitional || lane.changes.view) && !to_everyone(id, lane, now))
      return false;
    lane.step = 1;
    lane.recipient = 0;
  }
  for (; lane.step <= lane.changes.groups.size(); ++lane.step, lane.recipient = 0) {
    const GroupEvent& event = lane.changes.groups[lane.step - 1];
    for (; lane.recipient < event.recipients.size(); ++lane.recipient) {
      ClientPort* port = receiver(event.recipients[lane.recipient]);
      if (port != nullptr && !port->reads_log && !write_step(*port, id, lane) &&
          !evicted_for(*port, id, now))
        return false;
    }
    if (any_reads_log(event.recipients) &&
        !write_to_log(id, now, [&](shm::EventProducer& log) { return write_event(log, lane); }))
      return false;
  }
  lane.applied = false;
  lane.step = lane.recipient = 0;
  return true;
}

/// By slot, so that clients which come and go while the lane waits are neither told twice nor left
/// out.
bool Delivery::to_everyone(LaneId id, Lane& lane, TimeNs now) noexcept {
  for (; lane.recipient < kClientsMax; ++lane.recipient) {
    ClientPort* port = ports_.at_slot(lane.recipient);
    if (port == nullptr || port->state != ClientPort::State::Attached || port->reads_log) continue;
    if (!write_step(*port, id, lane) && !evicted_for(*port, id, now)) return false;
  }
  return !shared_.has_readers() ||
         write_to_log(id, now, [&](shm::EventProducer& log) { return write_event(log, lane); });
}

bool Delivery::write_event(shm::EventProducer& to, const Lane& lane) noexcept {
  if (lane.step > 0) return write_group_event(to, lane.changes.groups[lane.step - 1]);
  if (lane.changes.transitional) return to.write_transitional();
  const NodeViewEvent& v = *lane.changes.view;
  return to.write_node_view(v.view.sequence, v.view.representative, v.members, v.left, v.joined,
                            v.quorate);
}

bool Delivery::write_step(ClientPort& port, LaneId id, const Lane& lane) noexcept {
  if (port.room != nullptr || !write_event(port.channel.events(), lane)) return false;
  written(port, id);
  return true;
}

bool Delivery::write_group_event(shm::EventProducer& to, const GroupEvent& event) noexcept {
  std::vector<shm::GroupMember> members;
  members.reserve(event.members.size());
  for (const GroupMember& member : event.members)
    members.push_back(to_shm(member, shm::MemberReason::None));
  return to.write_group_view(event.group, members, to_shm(event.left), to_shm(event.joined),
                             std::as_bytes(std::span(event.name)));
}

}  // namespace phalanx::worker

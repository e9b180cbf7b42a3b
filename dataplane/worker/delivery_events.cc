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

bool Delivery::write_group_event(ClientPort& port, const GroupEvent& event) noexcept {
  std::vector<shm::GroupMember> members;
  members.reserve(event.members.size());
  for (const GroupMember& member : event.members)
    members.push_back(to_shm(member, shm::MemberReason::None));
  return port.channel.write_group_view(event.group, members, to_shm(event.left),
                                       to_shm(event.joined), std::as_bytes(std::span(event.name)));
}

}  // namespace phalanx::worker

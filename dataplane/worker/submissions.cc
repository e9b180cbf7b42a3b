#include "dataplane/worker/submissions.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "ipc/base/bytes.h"
#include "ipc/shm/group_id.h"

namespace phalanx::worker {
namespace {

constexpr std::uint32_t kMembershipBytes = 17;  // Beside the name: see group_state.h.
// Of all clients together a turn, so that many of them do not keep the worker from the wire.
constexpr std::uint64_t kTurnBytesOfAll = 1024 * 1024;
constexpr std::size_t kLongBytes = 64 * 1024;  // At most so much a turn of one (DESIGN 3.7).
constexpr std::size_t kHashesPerTurn = 8;      // Joins and opens hash a name: so many a client.

}  // namespace

std::size_t Submissions::take_turn() noexcept {
  const auto ports = ports_.all();
  std::size_t taken = 0;
  turn_bytes_left_ = kTurnBytesOfAll;
  first_ = first_ + 1 < ports.size() ? first_ + 1 : 0;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    ClientPort& port = *ports[(first_ + i) % ports.size()];
    if (port.state == ClientPort::State::Attached || port.state == ClientPort::State::Draining) {
      taken += take_from(port);
    }
    if (port.state == ClientPort::State::Leaving) {
      port.stuck = !order_leaves(port);
      if (!port.stuck) port.state = ClientPort::State::Left;
    }
    if (port.state == ClientPort::State::Left && port.hung_up) {
      ports_.remove(port);
      mailbox_.notify({.kind = MainNotice::Kind::ClientReleased, .port = &port});
      ++taken;
      break;  // The list has changed; the others follow next turn.
    }
  }
  return taken;
}

std::size_t Submissions::take_from(ClientPort& port) noexcept {
  std::size_t taken = 0;
  std::uint64_t bytes = 0;
  shm::Submission submission;
  std::size_t hashes = 0;
  bool drained = false;
  Outcome outcome = Outcome::Taken;
  const std::uint64_t bytes_max = std::min<std::uint64_t>(limits_.turn_bytes, turn_bytes_left_);
  while (bytes < bytes_max && hashes < kHashesPerTurn) {
    drained = !port.channel.peek_submission(submission);
    if (drained) break;
    if (submission.kind != shm::SubmissionKind::Multicast) ++hashes;
    cost_ = submission.payload.size() + core::kRecordHeaderBytes;
    outcome = take(port, submission);
    if (outcome == Outcome::Taken || outcome == Outcome::Piece) bytes += cost_;
    if (outcome != Outcome::Taken) break;
    port.channel.pop_submission();
    ++taken;
  }
  port.stuck = outcome == Outcome::NoRoom;
  turn_bytes_left_ -= std::min(turn_bytes_left_, bytes);
  if (bytes > 0) control_.count(shm::Counter::SubmittedBytes, bytes);
  if (taken > 0) {
    control_.count(shm::Counter::Submitted, taken);
    port.submitted += taken;
    if (port.channel.release_submissions()) ports_.wake(port);
  }
  if (outcome == Outcome::Lied || port.channel.broken()) [[unlikely]] {
    disconnect(port);
  } else if (port.state == ClientPort::State::Draining) {
    // A process that shares the dead client's memory must not keep it half-alive for ever.
    port.drain_budget -= std::min(port.drain_budget, bytes);
    if (drained || port.drain_budget == 0) leave_all(port, core::LeaveReason::ClientDied);
  }
  return taken + (outcome == Outcome::Piece ? 1 : 0);
}

Submissions::Outcome Submissions::take(ClientPort& port,
                                       const shm::Submission& submission) noexcept {
  if (port.copying &&
      (submission.kind != shm::SubmissionKind::Multicast || submission.group != port.copied_group ||
       submission.payload.size() != port.copied_size)) [[unlikely]] {
    return Outcome::Lied;
  }
  switch (submission.kind) {
    case shm::SubmissionKind::Multicast:
      return multicast(port, submission.group, submission.flags, submission.payload);
    case shm::SubmissionKind::Join:
    case shm::SubmissionKind::Open:
      return join(port, submission);
    case shm::SubmissionKind::Leave:
      return leave(port, submission.group, core::LeaveReason::Asked);
    case shm::SubmissionKind::Close:
      close(port, submission.group);
      return Outcome::Taken;
  }
  return Outcome::Lied;
}

Submissions::Outcome Submissions::multicast(ClientPort& port, GroupId group, std::uint8_t flags,
                                            std::span<const std::byte> payload) noexcept {
  if (payload.size() > limits_.message_bytes_max) return Outcome::Lied;
  const PortGroup* known = port.find(group);
  if (!port.may_publish || known == nullptr) [[unlikely]] {
    control_.count(shm::Counter::SubmissionsRefused, 1);
    return Outcome::Taken;  // Its join or open was refused, and it was told so.
  }
  if (payload.size() > kLongBytes) [[unlikely]]
    return multicast_long(port, *known, flags, payload);
  const bool taken = tape_.append(core_, known->lane,
                                  {.client = port.id,
                                   .group = group,
                                   .safe = (flags & shm::kSubmissionSafe) != 0,
                                   .payload = payload});
  return taken ? Outcome::Taken : Outcome::NoRoom;
}

/// A piece a turn. Nothing is submitted before the last one: a freeze takes the room back, and the
/// next view gets all of it anew.
Submissions::Outcome Submissions::multicast_long(ClientPort& port, const PortGroup& group,
                                                 std::uint8_t flags,
                                                 std::span<const std::byte> payload) noexcept {
  const LaneId lane = group.lane;
  const std::size_t size = payload.size();
  std::byte* room = copiers_[lane] == &port ? core_.reserved(lane) : nullptr;
  if (room == nullptr) {
    room = tape_.reserve(core_, lane, static_cast<std::uint32_t>(size));
    if (room == nullptr) return Outcome::NoRoom;
    copiers_[lane] = &port;
    port.copying = true;
    port.copied_group = group.group;
    port.copied_lane = lane;
    port.copied_size = size;
    port.copied = 0;
  }
  const std::size_t piece = std::min(size - port.copied, kLongBytes);
  std::memcpy(room + port.copied, payload.data() + port.copied, piece);
  port.copied += piece;
  cost_ = piece;
  if (port.copied < size) return Outcome::Piece;
  const bool safe = (flags & shm::kSubmissionSafe) != 0;
  tape_.commit(core_, lane,
               {.payload_bytes = static_cast<std::uint32_t>(size),
                .kind = core::RecordKind::App,
                .flags = safe ? core::kRecordSafe : std::uint8_t{0},
                .client = port.id,
                .group = group.group});
  port.copying = false;
  copiers_[lane] = nullptr;
  return Outcome::Taken;
}

void Submissions::give_up_copy(ClientPort& port) noexcept {
  if (!port.copying) return;
  port.copying = false;
  const LaneId lane = port.copied_lane;
  if (copiers_[lane] != &port) return;  // A view change took the room, and another has it now.
  tape_.cancel(core_, lane);
  copiers_[lane] = nullptr;
}

Submissions::Outcome Submissions::join(ClientPort& port,
                                       const shm::Submission& submission) noexcept {
  std::array<std::byte, 4 + kGroupNameBytesMax> payload;
  const std::size_t name_bytes = submission.payload.size();
  if (name_bytes > kGroupNameBytesMax) return Outcome::Lied;
  store_le<std::uint32_t>(payload.data(), port.pid);
  if (name_bytes > 0) std::memcpy(payload.data() + 4, submission.payload.data(), name_bytes);
  const std::span name(payload.data() + 4, name_bytes);
  if (name.empty()) return refuse(port, 0, submission.kind, shm::RefusedReason::Name);

  const GroupId group = shm::group_id(name.data(), name.size());
  // Each worker takes what concerns its lanes, through a ring of its own; the library knows which.
  const LaneId lane = limits_.lanes.lane_of(group);
  if (!limits_.share.has(lane)) return Outcome::Lied;
  const bool joins = submission.kind == shm::SubmissionKind::Join;
  const PortGroup* known = port.find(group);
  if (known != nullptr && (joins ? known->joined : known->opened)) return Outcome::Taken;
  if (!(joins ? port.may_subscribe : port.may_publish)) {
    return refuse(port, group, submission.kind, shm::RefusedReason::Access);
  }
  const std::uint64_t state_bytes = joins ? kMembershipBytes + name_bytes : 0;
  if ((known == nullptr && port.groups.size() >= kGroupsPerClientMax) ||
      group_state_bytes_ + state_bytes > limits_.group_state_bytes_max) {
    return refuse(port, group, submission.kind, shm::RefusedReason::Limit);
  }
  if (joins) {
    const auto size = static_cast<std::uint32_t>(4 + name_bytes);
    std::byte* room = tape_.reserve(core_, lane, size);
    if (room == nullptr) return Outcome::NoRoom;
    std::memcpy(room, payload.data(), size);
    tape_.commit(
        core_, lane,
        {.payload_bytes = size, .kind = core::RecordKind::Join, .client = port.id, .group = group});
    group_state_bytes_ += state_bytes;
  }
  PortGroup& entry = port.find_or_add(group);
  (joins ? entry.joined : entry.opened) = true;
  entry.lane = lane;
  // What its leave gives back is what its join took, whatever is opened under the same id.
  if (joins) entry.name_bytes = static_cast<std::uint8_t>(name_bytes);
  return Outcome::Taken;
}

Submissions::Outcome Submissions::leave(ClientPort& port, GroupId group,
                                        core::LeaveReason reason) noexcept {
  PortGroup* entry = port.find(group);
  if (entry == nullptr || !entry->joined) return Outcome::Taken;
  const LaneId lane = entry->lane;
  std::byte* room = tape_.reserve(core_, lane, 1);
  if (room == nullptr) return Outcome::NoRoom;
  *room = static_cast<std::byte>(reason);
  tape_.commit(
      core_, lane,
      {.payload_bytes = 1, .kind = core::RecordKind::Leave, .client = port.id, .group = group});
  group_state_bytes_ -= kMembershipBytes + entry->name_bytes;
  entry->joined = false;
  if (!entry->opened)
    std::erase_if(port.groups, [&](const PortGroup& g) { return g.group == group; });
  return Outcome::Taken;
}

void Submissions::close(ClientPort& port, GroupId group) noexcept {
  PortGroup* entry = port.find(group);
  if (entry == nullptr) return;
  entry->opened = false;
  if (!entry->joined)
    std::erase_if(port.groups, [&](const PortGroup& g) { return g.group == group; });
}

/// Its ring may be full: then it learns of the refusal when it comes to read, or is evicted by
/// then.
Submissions::Outcome Submissions::refuse(ClientPort& port, GroupId group, shm::SubmissionKind kind,
                                         shm::RefusedReason reason) noexcept {
  if (port.room != nullptr || !port.channel.events().write_refused(group, kind, reason))
    return Outcome::NoRoom;
  control_.count(shm::Counter::SubmissionsRefused, 1);
  if (port.channel.publish_events()) ports_.wake(port);
  return Outcome::Taken;
}

bool Submissions::order_leaves(ClientPort& port) noexcept {
  while (!port.groups.empty()) {
    const PortGroup last = port.groups.back();
    if (last.joined && leave(port, last.group, port.leave_reason) != Outcome::Taken) return false;
    if (!port.groups.empty() && port.groups.back().group == last.group) port.groups.pop_back();
  }
  return true;
}

void Submissions::hung_up(ClientPort& port) noexcept {
  port.hung_up = true;
  if (port.state != ClientPort::State::Attached) return;
  port.state = ClientPort::State::Draining;
  const shm::ChannelGeometry& geometry = port.channel.geometry();
  port.drain_budget = 2 * (geometry.submit_bytes + geometry.submit_bulk_bytes) + limits_.turn_bytes;
}

void Submissions::leave_all(ClientPort& port, core::LeaveReason reason) noexcept {
  port.state = ClientPort::State::Leaving;
  port.leave_reason = reason;
  give_up_copy(port);
}

void Submissions::evicted(ClientPort& port) noexcept {
  leave_all(port, core::LeaveReason::Evicted);
  if (!port.hung_up) mailbox_.notify({.kind = MainNotice::Kind::Evicted, .port = &port});
}

void Submissions::disconnect(ClientPort& port) noexcept {
  control_.count(shm::Counter::ClientsBad, 1);
  leave_all(port, core::LeaveReason::ClientDied);
  if (!port.hung_up) mailbox_.notify({.kind = MainNotice::Kind::HangUp, .port = &port});
}

bool Submissions::something_waits() noexcept {
  for (ClientPort* port : ports_.all()) {
    shm::Submission submission;
    switch (port->state) {
      case ClientPort::State::Attached:
        if (!port->stuck && (port->channel.peek_submission(submission) || port->channel.broken()))
          return true;
        break;
      case ClientPort::State::Draining:
      case ClientPort::State::Leaving:
        if (!port->stuck) return true;
        break;
      case ClientPort::State::Left:
        if (port->hung_up) return true;
        break;
    }
  }
  return false;
}

}  // namespace phalanx::worker

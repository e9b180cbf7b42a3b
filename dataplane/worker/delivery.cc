#include "dataplane/worker/delivery.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace phalanx::worker {
namespace {

constexpr std::uint64_t kTurnBytes = 256 * 1024;  // Then rows and repairs have their turn.
constexpr std::size_t kLongBytes = 64 * 1024;  // At most so much a turn to one client (DESIGN 3.7).
constexpr TimeNs kLookAgain = 200 * kMicrosecond;
// Between two looks at a lane that is held back: for more this worker was not there itself.
constexpr TimeNs kLookMax = kMillisecond;

std::uint8_t event_flags(const core::LocalRecord& record) noexcept {
  const bool safe = (record.header.flags & core::kRecordSafe) != 0;
  return static_cast<std::uint8_t>((safe ? shm::kEventSafe : 0) |
                                   (record.transitional ? shm::kEventTransitional : 0));
}

shm::MessageEvent message_event(const core::RecordHeader& header) noexcept {
  return {.group = header.group, .node = header.origin, .client = header.client};
}

}  // namespace

Delivery::Delivery(NodeId self, const core::LaneShare& share, const SlowClientPolicy& policy,
                   core::Core& core, PortTable& ports, Submissions& submissions,
                   shm::ControlWorkerEnd& control, shm::DeliveryLog* shared_log)
    : policy_(policy),
      core_(core),
      ports_(ports),
      submissions_(submissions),
      control_(control),
      share_(share),
      shared_(shared_log) {
  for (LaneId i = 0; i < share.lanes; ++i) lanes_.emplace_back(self);
  touched_.reserve(kClientsMax);
}

std::size_t Delivery::deliver_turn(TimeNs now) noexcept {
  std::size_t records = 0;
  std::uint64_t bytes = 0;
  wake_at_ = kNever;
  events_ = 0;
  for (LaneId id = share_.first; id < share_.lanes; id += share_.step) {
    const std::uint64_t before = core_.reader(id).at();
    records += deliver_lane(id, lanes_[id], now);
    bytes += core_.reader(id).at() - before;
  }
  if (records > 0 || !touched_.empty()) {
    publish_touched();
    control_.count(shm::Counter::RecordsDelivered, records);
    control_.count(shm::Counter::RecordBytesDelivered, bytes);
    control_.count(shm::Counter::EventsDelivered, events_);
  }
  return records;
}

std::size_t Delivery::deliver_lane(LaneId id, Lane& lane, TimeNs now) noexcept {
  core::LocalReader& reader = core_.reader(id);
  const std::uint64_t bytes_end = reader.at() + kTurnBytes;
  std::size_t records = 0;
  // Most messages are for the group of the one before, which has one member here, or only such as
  // read the shared log: where they go is looked up once a run.
  shm::EventProducer* sole = nullptr;
  GroupId sole_group = 0;
  std::uint64_t run = 0;  // Messages of it that are not counted yet, and their bytes.
  std::uint64_t run_bytes = 0;
  core::LocalRecord record;
  bool waits = false;
  for (; reader.at() < bytes_end && reader.peek(record); ++records) {
    const bool message = record.header.kind == core::RecordKind::App;
    if (message && sole != nullptr && record.header.group == sole_group &&
        record.payload.size() <= kLongBytes &&
        sole->write_message(message_event(record.header), event_flags(record), record.payload))
        [[likely]] {
      ++events_;
      ++run;
      run_bytes += record.payload.size();
      reader.pop();
      continue;
    }
    if (run > 0) lane.table.count(sole_group, std::exchange(run, 0), std::exchange(run_bytes, 0));
    const core::LocalRecord copy = record;  // The one above stays in registers.
    waits = !deliver(id, lane, copy, now);
    if (waits) break;
    sole = message ? sole_target(lane, sole_group = record.header.group) : nullptr;
    if (message) lane.table.count(record.header.group, 1, record.payload.size());
    reader.pop();
  }
  if (run > 0) lane.table.count(sole_group, run, run_bytes);
  lane.delivered += records;
  if (!waits && reader.at() < bytes_end) ++lane.caught_up;
  return records;
}

/// The one place that a group's messages go to here, when it could take one just now: a client's
/// ring, or the log. Nothing that a run of messages does to others changes that.
shm::EventProducer* Delivery::sole_target(Lane& lane, GroupId group) noexcept {
  const auto members = lane.table.local_members(group);
  if (shared_.has_readers() && !members.empty()) {
    const bool all = std::all_of(members.begin(), members.end(), [&](ClientId id) {
      const ClientPort* port = receiver(id);
      return port != nullptr && port->reads_log;
    });
    if (all) return shared_.is_reserved() ? nullptr : &shared_.events();
  }
  ClientPort* port = members.size() == 1 ? receiver(members[0]) : nullptr;
  return port != nullptr && !port->reads_log && port->room == nullptr && port->touched
             ? &port->channel.events()
             : nullptr;
}

bool Delivery::any_reads_log(std::span<const ClientId> members) noexcept {
  return shared_.has_readers() && std::any_of(members.begin(), members.end(), [&](ClientId id) {
           const ClientPort* port = receiver(id);
           return port != nullptr && port->reads_log;
         });
}

bool Delivery::deliver(LaneId id, Lane& lane, const core::LocalRecord& record,
                       TimeNs now) noexcept {
  if (record.header.kind != core::RecordKind::App) [[unlikely]] {
    return deliver_changes(id, lane, record, now);
  }
  if (record.payload.size() > kLongBytes) [[unlikely]]
    return deliver_long(id, lane, record, now);
  return deliver_message(id, lane, record, now);
}

bool Delivery::deliver_message(LaneId id, Lane& lane, const core::LocalRecord& record,
                               TimeNs now) noexcept {
  const auto members = lane.table.local_members(record.header.group);
  for (; lane.recipient < members.size(); ++lane.recipient) {
    ClientPort* port = receiver(members[lane.recipient]);
    if (port == nullptr || port->reads_log) continue;
    if (port->room == nullptr && port->channel.write_message(message_event(record.header),
                                                             event_flags(record), record.payload))
        [[likely]] {
      written(*port, id);
    } else if (!evicted_for(*port, id, now)) {
      return false;
    }
  }
  if (any_reads_log(members) && !write_to_log(id, now, [&](shm::EventProducer& log) {
        return log.write_message(message_event(record.header), event_flags(record), record.payload);
      })) {
    return false;
  }
  lane.recipient = 0;
  return true;
}

/// First room at every recipient, then one piece a turn to all of them: the record stays in the
/// log, and the lane's limit where it is, until the last piece. Room is held only while the pieces
/// are copied: a lane that waits holds none, so that no two lanes wait for each other.
bool Delivery::deliver_long(LaneId id, Lane& lane, const core::LocalRecord& record,
                            TimeNs now) noexcept {
  const auto members = lane.table.local_members(record.header.group);
  const std::size_t size = record.payload.size();
  for (; lane.recipient < members.size(); ++lane.recipient) {
    ClientPort* port = receiver(members[lane.recipient]);
    if (port == nullptr || port->reads_log) continue;
    std::byte* room = nullptr;
    if (port->room == nullptr) {
      room =
          port->channel.reserve_event(static_cast<std::uint32_t>(sizeof(shm::MessageEvent) + size));
    }
    if (room == nullptr) {
      if (evicted_for(*port, id, now)) continue;
      give_back(id, lane, members);
      return false;
    }
    const shm::MessageEvent head = message_event(record.header);
    std::memcpy(room, &head, sizeof head);
    port->room = room + sizeof head;
    port->room_lane = id;
  }
  if (lane.copied == 0 && any_reads_log(members)) {
    const auto bytes = static_cast<std::uint32_t>(sizeof(shm::MessageEvent) + size);
    std::byte* room = nullptr;
    if (!write_to_log(id, now, [&](shm::EventProducer& log) {
          return (room = log.reserve(bytes)) != nullptr;
        })) {
      give_back(id, lane, members);
      return false;
    }
    if (room != nullptr) {
      const shm::MessageEvent head = message_event(record.header);
      std::memcpy(room, &head, sizeof head);
      lane.log_room = room + sizeof head;
      shared_.set_reserved(true);
    }
  }
  const std::size_t piece = std::min(size - lane.copied, kLongBytes);
  const bool last = lane.copied + piece == size;
  for (const ClientId member : members) {
    ClientPort* port = receiver(member);
    if (port == nullptr || port->room == nullptr || port->room_lane != id) continue;
    std::memcpy(port->room + lane.copied, record.payload.data() + lane.copied, piece);
    if (!last) continue;
    port->channel.commit_event(shm::EventKind::Message, event_flags(record));
    port->room = nullptr;
    written(*port, id);
  }
  if (lane.log_room != nullptr) {
    std::memcpy(lane.log_room + lane.copied, record.payload.data() + lane.copied, piece);
    if (last) {
      shared_.events().commit(static_cast<std::uint8_t>(shm::EventKind::Message),
                              event_flags(record));
      shared_.set_reserved(false);
      lane.log_room = nullptr;
    }
  }
  lane.copied += piece;
  if (!last) {
    wake_at_ = 0;
    return false;
  }
  lane.recipient = 0;
  lane.copied = 0;
  return true;
}

void Delivery::give_back(LaneId id, Lane& lane, std::span<const ClientId> members) noexcept {
  for (const ClientId member : members) {
    ClientPort* port = receiver(member);
    if (port == nullptr || port->room == nullptr || port->room_lane != id) continue;
    port->channel.cancel_event();
    port->room = nullptr;
  }
  lane.recipient = 0;
}

bool Delivery::evicted_for(ClientPort& port, LaneId lane, TimeNs now) noexcept {
  if (port.channel.broken()) {
    forget(port);  // It lied about what it read: submissions disconnect it.
    return true;
  }
  if (port.room != nullptr &&
      port.room_lane != lane) {  // Another lane is copying a long message to it.
    wake_at_ = 0;
    return false;
  }
  const bool just_full = port.blocked_since == 0;
  bool out = !port.channel.fits_reserved_event() || out_of_patience(port, lane, now);
  if (!out && !policy_.holds_lane) out = held_back_too_long(port, just_full, lane, now);
  if (just_full) ports_.note(recorder::Kind::ClientSlow, port, lane);
  if (!out) {
    publish_touched();  // It must see what there is, or it never makes room.
    wake_at_ = std::min(wake_at_, now + kLookAgain);
    return false;
  }
  evict(port, lane, now);
  return true;
}

void Delivery::evict(ClientPort& port, LaneId lane, TimeNs now) noexcept {
  put_out(port);
  control_.count(shm::Counter::ClientsEvicted, 1);
  evicted_at_ = now;
  ports_.note(recorder::Kind::ClientEvicted, port, lane);
  submissions_.evicted(port);
}

/// Each client's own time counts: the lane may be held back by several in turn.
bool Delivery::held_back_too_long(ClientPort& port, bool just_full, LaneId id,
                                  TimeNs now) noexcept {
  ClientPort::Hold& hold = port.hold;
  if (hold.lane != id || hold.caught_up != lanes_[id].caught_up) {
    hold = {.lane = id, .caught_up = lanes_[id].caught_up};
  }
  if (just_full) {
    hold.at_a_time = 0;
    if (now > hold.look_at + kLookMax) hold.look_at = 0;  // It had room in between.
  }
  const core::LaneStatus status = core_.lane_status(id);
  if (status.limit >= status.received + policy_.room_min) {
    hold.look_at = 0;
    return false;
  }
  const TimeNs more = hold.look_at == 0 ? 0 : std::min(now - hold.look_at, kLookMax);
  hold.look_at = now;
  hold.at_a_time += more;
  hold.in_all += more;
  return hold.at_a_time >= policy_.hold_max ||
         hold.in_all >= SlowClientPolicy::kPatienceHolds * policy_.hold_max;
}

bool Delivery::out_of_patience(ClientPort& port, LaneId lane, TimeNs now) const noexcept {
  const std::uint64_t released = port.channel.released_event_bytes();
  if (port.held_since == 0 ||
      released - port.held_at >= port.channel.geometry().delivery_bytes / 4) {
    port.held_since = now;
    port.held_at = released;
  }
  if (port.blocked_since == 0 || (!policy_.holds_lane && released != port.blocked_at)) {
    if (port.blocked_since == 0) port.blocked_lane = lane;
    port.blocked_since = now;
  }
  port.blocked_at = released;
  return now - port.blocked_since >= policy_.patience ||
         now - port.held_since >= SlowClientPolicy::kPatienceHolds * policy_.patience;
}

void Delivery::touch(ClientPort& port) noexcept {
  if (port.touched) return;
  port.touched = true;
  touched_.push_back(&port);
}

void Delivery::publish_touched() noexcept {
  for (ClientPort* port : touched_) {
    port->touched = false;
    if (port->channel.publish_events()) ports_.wake(*port);
  }
  touched_.clear();
  shared_.publish(ports_);  // Behind what readers have in rings of their own.
}

void Delivery::greet(ClientPort& port) noexcept {
  shared_.join(port);
  if (!view_) return;
  const NodeViewEvent& v = *view_;
  if (port.channel.events().write_node_view(v.view.sequence, v.view.representative, v.members, {},
                                            v.members, v.quorate))
    touch(port);
}

Delivery::Unread Delivery::unread(ClientPort& port) noexcept {
  if (port.reads_log && port.state == ClientPort::State::Attached) {
    return {.bytes = shared_.bytes(), .queued = shared_.lag(port)};
  }
  return {.bytes = port.channel.geometry().delivery_bytes, .queued = port.channel.queued().events};
}

// Whoever reads the shared log is told first: what it has not read is written over from then on.
void Delivery::put_out(ClientPort& port) noexcept {
  stop_writing(port);
  if (port.channel.evict(shm::EvictReason::Lagged)) ports_.wake(port);
  shared_.leave(port);
}

void Delivery::forget(ClientPort& port) noexcept {
  stop_writing(port);
  if (port.reads_log) (void)port.channel.disconnect();
  shared_.leave(port);
}

void Delivery::stop_writing(ClientPort& port) noexcept {
  if (port.room != nullptr) port.channel.cancel_event();
  port.room = nullptr;
  if (port.touched) std::erase(touched_, &port);
  port.touched = false;
}

}  // namespace phalanx::worker

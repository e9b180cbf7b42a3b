#include "controlplane/map/service.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "ipc/base/assert.h"

namespace phalanx::map {

using shm::MapReply;
using shm::MapRequestKind;
using shm::MapRequestParts;

namespace {

std::vector<std::byte> packet_of(MapReply head, std::span<const std::byte> body = {}) {
  head.bytes = static_cast<std::uint32_t>(body.size());
  std::vector<std::byte> packet(sizeof head + body.size());
  std::memcpy(packet.data(), &head, sizeof head);
  std::copy(body.begin(), body.end(), packet.begin() + sizeof head);
  return packet;
}

std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<std::byte> items_behind(const MapRequestParts& request, const Statistics& statistics) {
  std::vector<std::byte> items;
  const std::string_view prefix = request.key;
  const std::string_view after = text_of(request.value);
  const bool behind = after >= prefix && !after.empty();
  auto at = behind ? statistics.upper_bound(after) : statistics.lower_bound(prefix);
  for (; at != statistics.end() && at->first.starts_with(prefix); ++at) {
    const shm::MapItem item{.value_bytes = static_cast<std::uint32_t>(at->second.value.size()),
                            .key_bytes = static_cast<std::uint16_t>(at->first.size()),
                            .type = static_cast<std::uint16_t>(at->second.type)};
    const std::size_t bytes = sizeof item + item.key_bytes + item.value_bytes;
    if (sizeof(MapReply) + items.size() + bytes > shm::kMapPacketBytesMax) break;
    const std::size_t from = items.size();
    items.resize(from + bytes);
    std::byte* to = items.data() + from;
    std::memcpy(to, &item, sizeof item);
    std::memcpy(to + sizeof item, at->first.data(), item.key_bytes);
    std::copy(at->second.value.begin(), at->second.value.end(), to + sizeof item + item.key_bytes);
  }
  return items;
}

}  // namespace

void Service::join(ClientId client, const Writer& who) { clients_[client].who = who; }

void Service::leave(ClientId id) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  trackers_ -= found->second.trackers.size();
  clients_.erase(found);
  std::erase(armed_, id);
  std::erase(woken_, id);
}

Service::Next Service::on_packet(ClientId id, std::span<const std::byte> packet,
                                 std::vector<std::byte>& reply) {
  const auto found = clients_.find(id);
  PHX_CHECK(found != clients_.end());
  Client& client = found->second;
  ++counters_.requests;
  const auto request = shm::read_map_request(packet);
  if (!request) {
    ++counters_.malformed;
    return Next::HangUp;
  }
  if (request->head.version != shm::kMapVersion) {
    count(MapStatus::Version);
    reply = packet_of({.status = MapStatus::Version});
    return Next::Reply;
  }
  if (!client.greeted && request->head.kind != MapRequestKind::Hello) {
    ++counters_.malformed;
    return Next::HangUp;
  }
  switch (request->head.kind) {
    case MapRequestKind::Hello:
      client.greeted = true;
      reply = packet_of({});
      return Next::ReplyWithMemory;
    case MapRequestKind::Arm:
      arm(id, client, request->head.position);
      return Next::Nothing;
    case MapRequestKind::StatsGet:
    case MapRequestKind::StatsNext:
      return Next::NeedStatistics;
    case MapRequestKind::Set:
    case MapRequestKind::Delete:
    case MapRequestKind::Add:
    case MapRequestKind::Track:
    case MapRequestKind::Untrack:
      break;
  }
  const MapStatus status = serve(client, *request);
  if (status == MapStatus::Malformed) {
    ++counters_.malformed;
    return Next::HangUp;
  }
  count(status);
  notice_changes();
  reply = packet_of({.status = status});
  return Next::Reply;
}

MapStatus Service::serve(Client& client, const MapRequestParts& request) {
  const shm::MapRequest& head = request.head;
  switch (head.kind) {
    case MapRequestKind::Set:
      // What does not fit into a MapType must not become another one.
      return store_.set(request.key, head.type > 255 ? MapType::None : MapType(head.type),
                        request.value, client.who);
    case MapRequestKind::Delete:
      return store_.remove(request.key, client.who);
    case MapRequestKind::Add:
      return store_.add(request.key, head.delta, client.who);
    case MapRequestKind::Track:
      return track(client, request);
    case MapRequestKind::Untrack:
      return untrack(client, head.number);
    case MapRequestKind::Hello:
    case MapRequestKind::Arm:
    case MapRequestKind::StatsGet:
    case MapRequestKind::StatsNext:
      break;
  }
  return MapStatus::Malformed;
}

MapStatus Service::track(Client& client, const MapRequestParts& request) {
  const shm::MapRequest& head = request.head;
  const std::uint32_t events = head.type;
  if (head.number >= shm::kMapTrackersMax || (events & ~shm::kMapTrackBits) != 0 ||
      (events & ~shm::kMapTrackPrefix) == 0) {
    return MapStatus::Malformed;
  }
  if (request.key.size() > shm::kMapKeyBytesMax) return MapStatus::NameTooLong;
  const auto same = [&](const Tracker& tracker) { return tracker.number == head.number; };
  if (std::ranges::any_of(client.trackers, same)) return MapStatus::Exists;
  if (trackers_ >= kTrackersMax) return MapStatus::Limit;
  client.trackers.push_back({head.number, events, std::string(request.key)});
  ++trackers_;
  return MapStatus::Ok;
}

MapStatus Service::untrack(Client& client, std::uint32_t number) {
  const std::size_t gone = std::erase_if(
      client.trackers, [&](const Tracker& tracker) { return tracker.number == number; });
  trackers_ -= gone;
  return gone == 0 ? MapStatus::NotFound : MapStatus::Ok;
}

void Service::arm(ClientId id, Client& client, std::uint64_t position) {
  if (!client.armed) armed_.push_back(id);
  client.armed = true;
  // Whether that concerns the client is for itself to see: it sleeps again if not.
  if (position != store_.log_head()) {
    wake_if([&](const Client& armed) { return &armed == &client; });
  }
}

template <class Concerns>
void Service::wake_if(const Concerns& concerns) {
  std::erase_if(armed_, [&](ClientId id) {
    Client& client = clients_.at(id);
    if (!concerns(client)) return false;
    client.armed = false;
    woken_.push_back(id);
    ++counters_.wakes;
    return true;
  });
}

void Service::notice_changes() {
  for (;;) {
    const auto taken = store_.reader().take(noticed_, change_);
    if (taken == shm::MapReader::Change::None) return;
    if (taken == shm::MapReader::Change::Lost) {
      // Only after a large burst of our own: all shall look for themselves.
      (void)store_.reader().end(noticed_);
      return wake_if([](const Client&) { return true; });
    }
    shm::MapChangeParts parts;
    PHX_CHECK(shm::read_map_change(change_, parts));
    const auto bit = static_cast<std::uint32_t>(parts.change.event);
    wake_if([&](const Client& client) {
      return std::ranges::any_of(client.trackers, [&](const Tracker& tracker) {
        return (tracker.events & bit) != 0 &&
               ((tracker.events & shm::kMapTrackPrefix) != 0 ? parts.key.starts_with(tracker.key)
                                                             : parts.key == tracker.key);
      });
    });
  }
}

std::vector<Service::ClientId> Service::take_woken() { return std::exchange(woken_, {}); }

std::vector<std::byte> Service::answer(std::span<const std::byte> packet,
                                       const Statistics& statistics) {
  const auto request = shm::read_map_request(packet);
  PHX_CHECK(request.has_value());  // on_packet() read it.
  if (request->head.kind == MapRequestKind::StatsNext) {
    return packet_of({}, items_behind(*request, statistics));
  }
  const auto found = statistics.find(request->key);
  if (found == statistics.end()) {
    count(MapStatus::NotFound);
    return packet_of({.status = MapStatus::NotFound});
  }
  return packet_of({.type = static_cast<std::uint32_t>(found->second.type)}, found->second.value);
}

void Service::count(MapStatus status) {
  if (status == MapStatus::Ok) return;
  ++counters_.refused;
  if (status == MapStatus::Access) ++counters_.refused_access;
  if (status == MapStatus::ReadOnly) ++counters_.refused_read_only;
}

}  // namespace phalanx::map

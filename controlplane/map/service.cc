#include "controlplane/map/service.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "ipc/base/assert.h"

namespace phalanx::map {

using shm::MapRequestParts;

namespace {

std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<std::byte> items_behind(const Service::Question& question, const Statistics& statistics,
                                    std::size_t bytes_max) {
  std::vector<std::byte> items;
  const std::string_view prefix = question.key;
  const std::string_view after = question.after;
  const bool behind = after >= prefix && !after.empty();
  auto at = behind ? statistics.upper_bound(after) : statistics.lower_bound(prefix);
  for (; at != statistics.end() && at->first.starts_with(prefix); ++at) {
    const shm::MapItem item{.value_bytes = static_cast<std::uint32_t>(at->second.value.size()),
                            .key_bytes = static_cast<std::uint16_t>(at->first.size()),
                            .type = static_cast<std::uint16_t>(at->second.type)};
    const std::size_t bytes = sizeof item + item.key_bytes + item.value_bytes;
    if (items.size() + bytes > bytes_max) break;
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

Service::Outcome Service::on_request(ClientId id, MapCall call, std::span<const std::byte> bytes) {
  const auto found = clients_.find(id);
  PHX_CHECK(found != clients_.end());
  Client& client = found->second;
  ++counters_.requests;
  const auto request = shm::read_map_request(bytes);
  if (request && call == MapCall::Arm) {
    arm(id, client, request->head.position);
    return {.next = Next::Nothing, .status = MapStatus::Ok, .question = {}};
  }
  const bool asks = call == MapCall::StatsGet || call == MapCall::StatsNext;
  if (request && asks && request->key.size() <= shm::kMapKeyBytesMax &&
      request->value.size() <= shm::kMapKeyBytesMax) {
    return {.next = Next::NeedStatistics,
            .status = MapStatus::Ok,
            .question = {.call = call,
                         .key = std::string(request->key),
                         .after = std::string(text_of(request->value))}};
  }
  const MapStatus status = request ? serve(client, call, *request) : MapStatus::Malformed;
  if (status == MapStatus::Malformed) {
    ++counters_.malformed;
    return {};
  }
  count(status);
  notice_changes();
  return {.next = Next::Reply, .status = status, .question = {}};
}

MapStatus Service::serve(Client& client, MapCall call, const MapRequestParts& request) {
  const shm::MapRequest& head = request.head;
  switch (call) {
    case MapCall::Set:
      // What does not fit into a MapType must not become another one.
      return store_.set(request.key, head.type > 255 ? MapType::None : MapType(head.type),
                        request.value, client.who);
    case MapCall::Delete:
      return store_.remove(request.key, client.who);
    case MapCall::Add:
      return store_.add(request.key, head.delta, client.who);
    case MapCall::Track:
      return track(client, request);
    case MapCall::Untrack:
      return untrack(client, head.number);
    case MapCall::Arm:
    case MapCall::StatsGet:
    case MapCall::StatsNext:
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

Service::Answer Service::answer(const Question& question, const Statistics& statistics,
                                std::size_t bytes_max) {
  if (question.call == MapCall::StatsNext) {
    return {.status = MapStatus::Ok, .bytes = items_behind(question, statistics, bytes_max)};
  }
  const auto found = statistics.find(question.key);
  Answer answer;
  if (found == statistics.end()) {
    answer.status = MapStatus::NotFound;
  } else if (sizeof(shm::MapValueHead) + found->second.value.size() > bytes_max) {
    answer.status = MapStatus::TooBig;
  }
  count(answer.status);
  if (answer.status != MapStatus::Ok) return answer;
  const shm::MapValueHead head{.type = static_cast<std::uint32_t>(found->second.type),
                               .reserved = 0};
  answer.bytes.resize(sizeof head);
  std::memcpy(answer.bytes.data(), &head, sizeof head);
  answer.bytes.insert(answer.bytes.end(), found->second.value.begin(), found->second.value.end());
  return answer;
}

void Service::count(MapStatus status) {
  if (status == MapStatus::Ok) return;
  ++counters_.refused;
  if (status == MapStatus::Access) ++counters_.refused_access;
  if (status == MapStatus::ReadOnly) ++counters_.refused_read_only;
}

}  // namespace phalanx::map

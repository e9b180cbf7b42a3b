#include "controlplane/map/store.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "ipc/base/assert.h"
#include "ipc/base/bytes.h"

namespace phalanx::map {

using shm::MapChange;
using shm::MapEntry;
using shm::MapEvent;

namespace {

std::uint32_t room_for(std::size_t key_bytes, std::size_t value_bytes) noexcept {
  return round_up(static_cast<std::uint32_t>(sizeof(MapEntry) + key_bytes + value_bytes),
                  std::uint32_t{8});
}

}  // namespace

Store::Store(shm::MapLayout& memory) : memory_(memory), reader_(&memory) {
  memory_.version = shm::kMapVersion;
  memory_.size = sizeof memory_;
  memory_.magic = shm::kMapMagic;
}

MapStatus Store::set(std::string_view key, MapType type, std::span<const std::byte> value,
                     const Writer& writer) {
  if (const MapStatus status = shm::check_map_key(key); status != MapStatus::Ok) return status;
  if (const MapStatus status = shm::check_map_value(type, value); status != MapStatus::Ok) {
    return status;
  }
  std::uint32_t place = 0;
  if (find(key, place)) {
    const MapStatus status = may_change(entry_at(place), writer);
    if (status != MapStatus::Ok) return status;
  } else if (is_reserved(key)) {
    return MapStatus::ReadOnly;
  }
  return put({key, type, value, writer.uid, false}, writer);
}

MapStatus Store::publish(std::string_view key, MapType type, std::span<const std::byte> value) {
  if (const MapStatus status = shm::check_map_key(key); status != MapStatus::Ok) return status;
  if (const MapStatus status = shm::check_map_value(type, value); status != MapStatus::Ok) {
    return status;
  }
  return put({key, type, value, 0, true}, {.uid = 0, .admin = true});
}

MapStatus Store::remove(std::string_view key, const Writer& writer) {
  if (const MapStatus status = shm::check_map_key(key); status != MapStatus::Ok) return status;
  std::uint32_t place = 0;
  if (!find(key, place)) return MapStatus::NotFound;
  const MapEntry old = entry_at(place);
  if (const MapStatus status = may_change(old, writer); status != MapStatus::Ok) return status;
  append_change(MapEvent::Delete, place, true, {key, MapType::None, {}, 0, false});
  begin_round();
  std::uint32_t* at = memory_.index + place;
  std::copy(at + 1, memory_.index + memory_.count, at);
  --memory_.count;
  end_round();
  live_bytes_ -= old.room;
  account(old.owner, -1, -std::int64_t{old.room});
  return MapStatus::Ok;
}

MapStatus Store::add(std::string_view key, std::int64_t delta, const Writer& writer) {
  if (const MapStatus status = shm::check_map_key(key); status != MapStatus::Ok) return status;
  std::uint32_t place = 0;
  if (!find(key, place)) return MapStatus::NotFound;
  const MapEntry old = entry_at(place);
  if (const MapStatus status = may_change(old, writer); status != MapStatus::Ok) return status;
  if (!shm::is_map_integer(old.type)) return MapStatus::WrongType;
  std::byte number[8];
  const auto value = std::span(number).first(old.value_bytes);
  std::memcpy(number, value_at(place).data(), value.size());
  if (!shm::add_to_map_integer(old.type, value, delta)) return MapStatus::Overflow;
  return put({key, old.type, value, old.owner, false}, writer);
}

void Store::reserve(std::string_view prefix) { reserved_.push_back(prefix); }

bool Store::is_reserved(std::string_view key) const noexcept {
  return std::any_of(reserved_.begin(), reserved_.end(),
                     [&](std::string_view prefix) { return key.starts_with(prefix); });
}

MapStatus Store::may_change(const MapEntry& entry, const Writer& writer) const {
  if (entry.read_only != 0) return MapStatus::ReadOnly;
  return writer.admin || writer.uid == entry.owner ? MapStatus::Ok : MapStatus::Access;
}

MapStatus Store::has_room(const Wanted& wanted, const MapEntry* old, const Writer& writer) const {
  const std::uint32_t room = room_for(wanted.key.size(), wanted.value.size());
  const std::uint32_t more = old == nullptr ? room : room > old->room ? room - old->room : 0;
  if (old == nullptr && memory_.count == shm::kMapKeysMax) return MapStatus::Full;
  if (live_bytes_ + more > shm::kMapBytesMax) return MapStatus::Full;
  if (writer.admin) return MapStatus::Ok;
  const auto found = usage_.find(wanted.owner);
  const Usage usage = found == usage_.end() ? Usage{} : found->second;
  if (old == nullptr && usage.keys == kUserKeysMax) return MapStatus::Limit;
  return usage.bytes + more > kUserBytesMax ? MapStatus::Limit : MapStatus::Ok;
}

/// Rights and the form of key and value were checked.
MapStatus Store::put(Wanted wanted, const Writer& writer) {
  std::uint32_t place = 0;
  const bool has_old = find(wanted.key, place);
  MapEntry old{};
  if (has_old) {
    old = entry_at(place);
    wanted.owner = old.owner;
    if (old.type == wanted.type && std::ranges::equal(value_at(place), wanted.value)) {
      return MapStatus::Ok;
    }
  }
  const MapEntry* before = has_old ? &old : nullptr;
  if (const MapStatus status = has_room(wanted, before, writer); status != MapStatus::Ok) {
    return status;
  }
  append_change(has_old ? MapEvent::Modify : MapEvent::Add, place, has_old, wanted);
  write_entry(wanted, place, before);
  return MapStatus::Ok;
}

void Store::write_entry(const Wanted& wanted, std::uint32_t place, const MapEntry* old) {
  const std::uint32_t room = room_for(wanted.key.size(), wanted.value.size());
  MapEntry entry{.room = room,
                 .value_bytes = static_cast<std::uint32_t>(wanted.value.size()),
                 .owner = wanted.owner,
                 .key_bytes = static_cast<std::uint16_t>(wanted.key.size()),
                 .type = wanted.type,
                 .read_only = wanted.read_only ? std::uint8_t{1} : std::uint8_t{0}};
  std::uint32_t offset = 0;
  const bool in_place = old != nullptr && room <= old->room;
  if (in_place) entry.room = old->room;
  if (!in_place) offset = allocate(room);  // May move what there is: not before the offset is read.
  begin_round();
  if (in_place) offset = memory_.index[place];
  std::byte* at = memory_.heap + offset;
  std::memcpy(at, &entry, sizeof entry);
  std::memcpy(at + sizeof entry, wanted.key.data(), wanted.key.size());
  if (!wanted.value.empty()) {
    std::memcpy(at + sizeof entry + wanted.key.size(), wanted.value.data(), wanted.value.size());
  }
  if (old == nullptr) {
    std::uint32_t* const to = memory_.index + place;
    std::copy_backward(to, memory_.index + memory_.count, memory_.index + memory_.count + 1);
    ++memory_.count;
  }
  memory_.index[place] = offset;
  end_round();
  const std::int64_t more = std::int64_t{entry.room} - (old == nullptr ? 0 : old->room);
  live_bytes_ = static_cast<std::uint32_t>(live_bytes_ + more);
  account(wanted.owner, old == nullptr ? 1 : 0, more);
}

void Store::account(std::uint32_t owner, int keys, std::int64_t bytes) {
  Usage& usage = usage_[owner];
  usage.keys = static_cast<std::uint32_t>(static_cast<std::int64_t>(usage.keys) + keys);
  usage.bytes = static_cast<std::uint32_t>(usage.bytes + bytes);
  if (usage.keys == 0) usage_.erase(owner);
}

std::uint32_t Store::allocate(std::uint32_t room) {
  if (used_ + room > shm::kMapHalfBytes) tidy();
  PHX_CHECK(used_ + room <= shm::kMapHalfBytes);  // has_room() saw to it.
  const std::uint32_t offset = half_ + used_;
  used_ += room;
  return offset;
}

/// Copies what lives to the other half. Comes after at least kMapHalfBytes - kMapBytesMax of
/// writes.
void Store::tidy() {
  const std::uint32_t other = half_ == 0 ? shm::kMapHalfBytes : 0;
  std::uint32_t used = 0;
  begin_round();
  for (std::uint32_t place = 0; place < memory_.count; ++place) {
    const MapEntry entry = entry_at(place);
    std::memcpy(memory_.heap + other + used, memory_.heap + memory_.index[place], entry.room);
    memory_.index[place] = other + used;
    used += entry.room;
  }
  // No change: what end_round() publishes is as it was.
  std::atomic_ref(memory_.round).store(memory_.round + 1, std::memory_order_release);
  half_ = other;
  used_ = used;
  ++tidied_;
}

bool Store::find(std::string_view key, std::uint32_t& place) const noexcept {
  std::uint32_t low = 0;
  std::uint32_t high = memory_.count;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (key_at(middle) < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  place = low;
  return low < memory_.count && key_at(low) == key;
}

MapEntry Store::entry_at(std::uint32_t place) const noexcept {
  MapEntry entry;
  std::memcpy(&entry, memory_.heap + memory_.index[place], sizeof entry);
  return entry;
}

std::string_view Store::key_at(std::uint32_t place) const noexcept {
  const std::byte* key = memory_.heap + memory_.index[place] + sizeof(MapEntry);
  return {reinterpret_cast<const char*>(key), entry_at(place).key_bytes};
}

std::span<std::byte> Store::value_at(std::uint32_t place) const noexcept {
  const MapEntry entry = entry_at(place);
  return {memory_.heap + memory_.index[place] + sizeof entry + entry.key_bytes, entry.value_bytes};
}

void Store::begin_round() noexcept {
  std::atomic_ref(memory_.round).store(memory_.round + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
}

/// Publishes the change as well: who sees it in the log finds it in the map, and the other way.
void Store::end_round() noexcept {
  ++memory_.changes;
  memory_.change_end = log_next_;
  std::atomic_ref(memory_.log_head).store(log_next_, std::memory_order_release);
  std::atomic_ref(memory_.round).store(memory_.round + 1, std::memory_order_release);
}

void Store::append_change(MapEvent event, std::uint32_t place, bool has_old, const Wanted& wanted) {
  const MapEntry old = has_old ? entry_at(place) : MapEntry{};
  MapChange change{.bytes = 0,
                   .event = event,
                   .type = wanted.type,
                   .old_type = old.type,
                   .reserved = 0,
                   .sequence = memory_.changes + 1,
                   .value_bytes = static_cast<std::uint32_t>(wanted.value.size()),
                   .old_bytes = old.value_bytes,
                   .key_bytes = wanted.key.size()};
  const std::size_t unpadded =
      sizeof change + wanted.key.size() + wanted.value.size() + old.value_bytes;
  change.bytes = round_up(static_cast<std::uint32_t>(unpadded), std::uint32_t{8});
  const std::size_t left = shm::kMapLogBytes - log_next_ % shm::kMapLogBytes;
  const std::uint64_t at = change.bytes > left ? log_next_ + left : log_next_;
  const std::uint64_t end = at + change.bytes;
  if (end > shm::kMapLogBytes) {
    std::atomic_ref(memory_.log_floor).store(end - shm::kMapLogBytes, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
  }
  if (at != log_next_ && left >= sizeof change) {
    const MapChange skip{};
    std::memcpy(memory_.log + log_next_ % shm::kMapLogBytes, &skip, sizeof skip);
  }
  std::byte* to = memory_.log + at % shm::kMapLogBytes;
  std::memcpy(to, &change, sizeof change);
  to += sizeof change;
  std::memcpy(to, wanted.key.data(), wanted.key.size());
  to += wanted.key.size();
  if (!wanted.value.empty()) std::memcpy(to, wanted.value.data(), wanted.value.size());
  to += wanted.value.size();
  if (has_old && old.value_bytes != 0) std::memcpy(to, value_at(place).data(), old.value_bytes);
  log_next_ = end;
}

}  // namespace phalanx::map

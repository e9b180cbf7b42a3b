#include "ipc/shm/map_reader.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstring>

namespace phalanx::shm {
namespace {

/// A writer holds a round for a microsecond, or for a millisecond when it tidies up. Where it was
/// preempted meanwhile, it needs a processor.
constexpr int kLooksMax = 20'000;
constexpr int kLooksBeforeYield = 64;

template <class T>
T load(const T& from, std::memory_order order = std::memory_order_relaxed) noexcept {
  return std::atomic_ref(const_cast<T&>(from)).load(order);  // Loads do not write.
}

}  // namespace

/// An entry whose bytes lie within the heap.
struct MapReader::At {
  MapEntry entry;
  const std::byte* key;
};

bool MapReader::entry_at(std::uint32_t place, At& at) const noexcept {
  const std::uint32_t offset = load(memory_->index[place]);
  if (offset > sizeof memory_->heap - sizeof(MapEntry)) return false;
  std::memcpy(&at.entry, memory_->heap + offset, sizeof at.entry);
  at.key = memory_->heap + offset + sizeof(MapEntry);
  const std::size_t left = sizeof memory_->heap - offset - sizeof(MapEntry);
  return at.entry.key_bytes <= kMapKeyBytesMax && at.entry.value_bytes <= kMapValueBytesMax &&
         at.entry.key_bytes + at.entry.value_bytes <= left;
}

bool MapReader::lower_bound(std::string_view key, bool behind, std::uint32_t count,
                            std::uint32_t& place) const noexcept {
  std::uint32_t low = 0;
  std::uint32_t high = count;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    At at;
    if (!entry_at(middle, at)) return false;
    const int order =
        std::string_view(reinterpret_cast<const char*>(at.key), at.entry.key_bytes).compare(key);
    if (order < 0 || (behind && order == 0)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  place = low;
  return true;
}

/// Runs `look` until no change of the writer fell into it. `look` gives false when what it saw
/// cannot be.
template <class Look>
MapReader::Result MapReader::consistently(const Look& look) const noexcept {
  for (int i = 0; i < kLooksMax; ++i) {
    if (i >= kLooksBeforeYield) sched_yield();
    const std::uint64_t round = load(memory_->round, std::memory_order_acquire);
    if (round % 2 != 0) continue;
    Result result = Result::None;
    const bool sane = look(result);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (load(memory_->round) != round) continue;
    if (sane) return result;
  }
  return Result::Torn;
}

MapReader::Result MapReader::find(std::string_view key, Found& found,
                                  std::span<std::byte> out) const noexcept {
  const Result result = next(key, "", found, out);
  return result == Result::Found && found.key_bytes != key.size() ? Result::None : result;
}

MapReader::Result MapReader::next(std::string_view prefix, std::string_view after, Found& found,
                                  std::span<std::byte> out) const noexcept {
  const bool behind = after >= prefix && !after.empty();
  return consistently([&](Result& result) {
    const std::uint32_t count = load(memory_->count);
    std::uint32_t place = 0;
    if (count > kMapKeysMax || !lower_bound(behind ? after : prefix, behind, count, place)) {
      return false;
    }
    if (place == count) return true;
    At at;
    if (!entry_at(place, at)) return false;
    const std::size_t key_bytes = at.entry.key_bytes;
    if (key_bytes < prefix.size()) return true;
    if (!prefix.empty() && std::memcmp(at.key, prefix.data(), prefix.size()) != 0) return true;
    std::memcpy(found.key, at.key, key_bytes);
    found.key[key_bytes] = '\0';
    found.key_bytes = key_bytes;
    found.value_bytes = at.entry.value_bytes;
    found.type = at.entry.type;
    found.read_only = at.entry.read_only != 0;
    found.owner = at.entry.owner;
    const std::size_t copied = std::min<std::size_t>(at.entry.value_bytes, out.size());
    if (copied != 0) std::memcpy(out.data(), at.key + key_bytes, copied);
    result = Result::Found;
    return true;
  });
}

bool MapReader::end(Cursor& cursor) const noexcept {
  return consistently([&](Result&) {
           cursor = {load(memory_->change_end), load(memory_->changes)};
           return true;
         }) != Result::Torn;
}

bool MapReader::is_behind(const Cursor& cursor) const noexcept {
  return load(memory_->log_head, std::memory_order_acquire) != cursor.position;
}

MapReader::Change MapReader::take(Cursor& cursor, std::span<std::byte> out) const noexcept {
  for (;;) {
    const std::uint64_t head = load(memory_->log_head, std::memory_order_acquire);
    if (cursor.position == head) return Change::None;
    // More than the ring holds, or ahead of the writer: there is no such place.
    if (head - cursor.position > kMapLogBytes) return Change::Lost;
    const std::size_t at = cursor.position % kMapLogBytes;
    const std::size_t left = kMapLogBytes - at;
    MapChange change{};
    std::memcpy(&change, memory_->log + at, std::min(sizeof change, left));
    const bool skip = left < sizeof change || change.event == MapEvent::Skip;
    const std::size_t bytes = skip ? left : change.bytes;
    const bool sane = skip || (bytes >= sizeof change && bytes <= std::min(left, out.size()));
    if (sane && !skip) std::memcpy(out.data(), memory_->log + at, bytes);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (!sane || load(memory_->log_floor) > cursor.position) return Change::Lost;
    cursor.position += bytes;
    if (skip) continue;
    std::memcpy(&change, out.data(), sizeof change);
    cursor.sequence = change.sequence;
    return Change::Taken;
  }
}

bool read_map_change(std::span<const std::byte> bytes, MapChangeParts& parts) noexcept {
  if (bytes.size() < sizeof(MapChange)) return false;
  MapChange& change = parts.change;
  std::memcpy(&change, bytes.data(), sizeof change);
  bytes = bytes.subspan(sizeof change);
  if (change.key_bytes > kMapKeyBytesMax || change.value_bytes > kMapValueBytesMax ||
      change.old_bytes > kMapValueBytesMax ||
      change.key_bytes + change.value_bytes + change.old_bytes > bytes.size()) {
    return false;
  }
  parts.key = {reinterpret_cast<const char*>(bytes.data()), change.key_bytes};
  parts.value = bytes.subspan(change.key_bytes, change.value_bytes);
  parts.old_value = bytes.subspan(change.key_bytes + change.value_bytes, change.old_bytes);
  return true;
}

}  // namespace phalanx::shm

#pragma once

#include <algorithm>
#include <cstdint>

#include "ipc/replica/array.h"
#include "ipc/replica/buffer.h"

namespace phalanx::replica {

/// Which operations a state has: of each origin, all up to a number. A part of the state: equal
/// states have equal tables.
class Origins {
 public:
  struct Entry {
    std::uint64_t origin = 0;
    std::uint64_t number = 0;  ///< Of the last one taken, refused ones too.
    std::uint64_t floor = 0;   ///< Of the last one that the history has no more.
  };
  static constexpr std::size_t kEntryBytes = 24;

  [[nodiscard]] std::uint64_t number(std::uint64_t origin) const noexcept {
    const Entry* entry = find(origin);
    return entry == nullptr ? 0 : entry->number;
  }
  [[nodiscard]] std::uint64_t floor(std::uint64_t origin) const noexcept {
    const Entry* entry = find(origin);
    return entry == nullptr ? 0 : entry->floor;
  }
  /// The entry of an origin, made when there is none.
  [[nodiscard]] Entry& at(std::uint64_t origin) noexcept {
    Entry* entry = lower(origin);
    if (entry == entries_.end() || entry->origin != origin)
      entry = entries_.insert(entry, {.origin = origin});
    return *entry;
  }
  void raise_floor(std::uint64_t origin, std::uint64_t number) noexcept {
    Entry* entry = lower(origin);
    if (entry != entries_.end() && entry->origin == origin && entry->floor < number)
      entry->floor = number;
  }
  [[nodiscard]] const Array<Entry>& entries() const noexcept { return entries_; }
  void erase(std::uint64_t origin) noexcept {
    if (Entry* entry = lower(origin); entry != entries_.end() && entry->origin == origin)
      entries_.erase(entry);
  }
  void clear() noexcept { entries_.clear(); }

  [[nodiscard]] bool write(Buffer& out) const noexcept {
    bool good = out.put<std::uint32_t>(static_cast<std::uint32_t>(entries_.size()));
    for (const Entry& entry : entries_)
      good = good && out.put(entry.origin) && out.put(entry.number) && out.put(entry.floor);
    return good;
  }
  /// In place of all it has. False, and empty, when the bytes make no sense.
  [[nodiscard]] bool read(BufferReader& in) noexcept {
    clear();
    const auto count = in.take<std::uint32_t>();
    if (!in.good() || count > in.rest().size() / kEntryBytes) return false;
    for (std::uint32_t i = 0; i < count; ++i) {
      const Entry entry{in.take<std::uint64_t>(), in.take<std::uint64_t>(),
                        in.take<std::uint64_t>()};
      const bool sorted = entries_.empty() || entries_[i - 1].origin < entry.origin;
      if (entry.origin == 0 || !sorted) {
        clear();
        return false;
      }
      entries_.push_back(entry);
    }
    return true;
  }

 private:
  [[nodiscard]] Entry* lower(std::uint64_t origin) noexcept {
    return std::lower_bound(entries_.begin(), entries_.end(), origin,
                            [](const Entry& e, std::uint64_t value) { return e.origin < value; });
  }
  [[nodiscard]] const Entry* find(std::uint64_t origin) const noexcept {
    const Entry* entry = const_cast<Origins*>(this)->lower(origin);
    return entry == entries_.end() || entry->origin != origin ? nullptr : entry;
  }

  Array<Entry> entries_;  ///< Sorted by origin.
};

}  // namespace phalanx::replica

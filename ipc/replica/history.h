#pragma once

#include <cstdint>
#include <span>

#include "ipc/replica/buffer.h"
#include "ipc/replica/origins.h"

namespace phalanx::replica {

/// The last operations that a state took, in its order: what another side may lack when two meet.
/// A part of the state. Settled ones, taken in a quorate view by everybody, make room for later
/// ones; the others stay, and when they fill it nothing more may be taken.
class History {
 public:
  /// Each entry: u32 bytes, u32 0, u64 origin, u64 number, bytes, zeros to 8.
  static constexpr std::size_t kEntryBytes = 24;
  struct Entry {
    std::uint64_t origin = 0;
    std::uint64_t number = 0;
    std::span<const std::byte> bytes;
  };

  explicit History(std::size_t bytes_max) noexcept : bytes_max_(bytes_max) {}

  /// Makes room by forgetting settled entries, which raises floors. False: it cannot.
  [[nodiscard]] bool make_room(std::size_t operation_bytes, Origins& origins) noexcept {
    const std::size_t need = kEntryBytes + round_up<std::size_t>(operation_bytes, 8);
    while (bytes_.size() + need > bytes_max_) {
      if (settled_ == 0) return false;
      forget_first(origins);
    }
    return true;
  }
  /// After make_room(), or without it where something is more important than the limit.
  [[nodiscard]] bool append(std::uint64_t origin, std::uint64_t number,
                            std::span<const std::byte> operation) noexcept {
    const std::size_t padded = round_up<std::size_t>(operation.size(), 8);
    std::byte* out = bytes_.extend(kEntryBytes + padded);
    if (out == nullptr) return false;
    store_le<std::uint64_t>(out, operation.size());
    store_le<std::uint64_t>(out + 8, origin);
    store_le<std::uint64_t>(out + 16, number);
    if (padded != operation.size()) store_le<std::uint64_t>(out + kEntryBytes + padded - 8, 0);
    if (!operation.empty()) std::memcpy(out + kEntryBytes, operation.data(), operation.size());
    return true;
  }
  /// All that it has so far was taken by everybody.
  void settle() noexcept { settled_ = bytes_.size(); }
  void clear() noexcept {
    bytes_.clear();
    settled_ = 0;
  }

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_.bytes(); }
  [[nodiscard]] std::size_t settled_bytes() const noexcept { return settled_; }
  /// In place of all it has.
  [[nodiscard]] bool assign(std::span<const std::byte> entries, std::size_t settled) noexcept {
    clear();
    settled_ = settled;
    return settled <= entries.size() && bytes_.append(entries.data(), entries.size());
  }

  /// Reads the entry at the front of `in` and steps over it. False: at the end, or nonsense.
  [[nodiscard]] static bool next(std::span<const std::byte>& in, Entry& out) noexcept {
    if (in.size() < kEntryBytes) return false;
    const auto bytes = load_le<std::uint64_t>(in.data());
    if (bytes > in.size() - kEntryBytes) return false;
    const std::size_t padded = round_up<std::size_t>(static_cast<std::size_t>(bytes), 8);
    if (padded > in.size() - kEntryBytes) return false;
    out.origin = load_le<std::uint64_t>(in.data() + 8);
    out.number = load_le<std::uint64_t>(in.data() + 16);
    out.bytes = in.subspan(kEntryBytes, static_cast<std::size_t>(bytes));
    in = in.subspan(kEntryBytes + padded);
    return true;
  }

 private:
  void forget_first(Origins& origins) noexcept {
    std::span<const std::byte> rest = bytes_.bytes();
    Entry entry;
    if (!next(rest, entry)) return clear();
    origins.raise_floor(entry.origin, entry.number);
    const std::size_t gone = bytes_.size() - rest.size();
    bytes_.consume(gone);
    settled_ -= gone < settled_ ? gone : settled_;
  }

  std::size_t bytes_max_;
  Buffer bytes_;
  std::size_t settled_ = 0;
};

}  // namespace phalanx::replica

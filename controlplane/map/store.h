#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "ipc/shm/map_layout.h"
#include "ipc/shm/map_reader.h"
#include "ipc/shm/map_value.h"

namespace phalanx::map {

using shm::MapStatus;
using shm::MapType;

/// Who wants to change something. Root and the daemon's own user may change every key that is not
/// read-only; others only what they made, and no more than their share.
struct Writer {
  std::uint32_t uid = 0;
  bool admin = false;
};

/// The keys, kept sorted in memory that readers share, and the log of what changed. Sans-I/O: the
/// memory is handed in, all zero. One writer thread.
class Store {
 public:
  /// The share of one user who is no administrator.
  static constexpr std::uint32_t kUserKeysMax = shm::kMapKeysMax / 4;
  static constexpr std::uint32_t kUserBytesMax = shm::kMapBytesMax / 4;

  explicit Store(shm::MapLayout& memory);

  /// Creates the key or changes it; its type may change too. What is as it was already is Ok and
  /// no change.
  [[nodiscard]] MapStatus set(std::string_view key, MapType type, std::span<const std::byte> value,
                              const Writer& writer);
  [[nodiscard]] MapStatus remove(std::string_view key, const Writer& writer);
  /// Adds to an integer, or says Overflow and leaves it as it was.
  [[nodiscard]] MapStatus add(std::string_view key, std::int64_t delta, const Writer& writer);

  /// A key of the daemon's own, read-only for everybody else, whatever its name.
  [[nodiscard]] MapStatus publish(std::string_view key, MapType type,
                                  std::span<const std::byte> value);
  /// Nobody but publish() makes keys that begin so. `prefix` lives as long as the store.
  void reserve(std::string_view prefix);

  [[nodiscard]] const shm::MapReader& reader() const noexcept { return reader_; }
  [[nodiscard]] std::uint64_t changes() const noexcept { return memory_.changes; }
  [[nodiscard]] std::uint64_t log_head() const noexcept { return memory_.log_head; }
  [[nodiscard]] std::uint32_t keys() const noexcept { return memory_.count; }
  [[nodiscard]] std::uint32_t bytes() const noexcept { return live_bytes_; }
  [[nodiscard]] std::uint64_t tidied() const noexcept { return tidied_; }

 private:
  struct Usage {
    std::uint32_t keys = 0;
    std::uint32_t bytes = 0;
  };
  struct Wanted {
    std::string_view key;
    MapType type;
    std::span<const std::byte> value;
    std::uint32_t owner;
    bool read_only;
  };

  [[nodiscard]] bool find(std::string_view key, std::uint32_t& place) const noexcept;
  [[nodiscard]] shm::MapEntry entry_at(std::uint32_t place) const noexcept;
  [[nodiscard]] std::span<std::byte> value_at(std::uint32_t place) const noexcept;
  [[nodiscard]] std::string_view key_at(std::uint32_t place) const noexcept;
  [[nodiscard]] bool is_reserved(std::string_view key) const noexcept;
  [[nodiscard]] MapStatus may_change(const shm::MapEntry& entry, const Writer& writer) const;
  [[nodiscard]] MapStatus has_room(const Wanted& wanted, const shm::MapEntry* old,
                                   const Writer& writer) const;

  [[nodiscard]] MapStatus put(Wanted wanted, const Writer& writer);
  void write_entry(const Wanted& wanted, std::uint32_t place, const shm::MapEntry* old);
  void append_change(shm::MapEvent event, std::uint32_t place, bool has_old, const Wanted& wanted);
  [[nodiscard]] std::uint32_t allocate(std::uint32_t room);
  void tidy();
  void begin_round() noexcept;
  void end_round() noexcept;
  void account(std::uint32_t owner, int keys, std::int64_t bytes);

  shm::MapLayout& memory_;
  shm::MapReader reader_;
  std::map<std::uint32_t, Usage> usage_;  ///< By owner.
  std::vector<std::string_view> reserved_;
  std::uint32_t half_ = 0;  ///< Where the heap's half in use begins.
  std::uint32_t used_ = 0;  ///< Of that half.
  std::uint32_t live_bytes_ = 0;
  std::uint64_t log_next_ = 0;
  std::uint64_t tidied_ = 0;
};

}  // namespace phalanx::map

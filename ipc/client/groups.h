#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ipc/base/ids.h"
#include "ipc/include/phalanx/phalanx.h"

namespace phalanx::client {

inline constexpr std::size_t kGroupsMax = 1024;

/// What this client is to a group.
enum class Standing : std::uint8_t {
  None,     ///< Not a member; perhaps open.
  Joining,  ///< Asked for; the view with us has not come.
  Member,
  Leaving,  ///< Asked for; the view without us has not come.
  Evicted,  ///< Was a member; the application has yet to take notice.
};

struct Group {
  GroupId id = 0;
  std::uint32_t generation = 1;
  std::uint16_t index = 0;
  std::uint16_t next = 0;  ///< In its hash chain, index + 1; 0 ends it. Also chains the free ones.
  std::uint8_t channel = 0;  ///< Which of the handle's channels is its lane's worker's.
  Standing standing = Standing::None;
  bool used = false;
  bool open = false;         ///< By phx_open().
  bool join_unsent = false;  ///< The Join has yet to be written into this channel's ring.
  bool open_unsent = false;  ///< Likewise the Open.
  std::uint8_t name_bytes = 0;
  char name[kGroupNameBytesMax] = {};
  phx_member* members = nullptr;
  std::size_t member_count = 0;
  std::size_t member_room = 0;

  [[nodiscard]] phx_group value() const noexcept {
    return static_cast<phx_group>(generation) << 32 | (std::uint32_t{index} + 1);
  }
  [[nodiscard]] bool joined() const noexcept {
    return standing == Standing::Joining || standing == Standing::Member;
  }
};

/// The groups of one handle. Groups never move; a value names one by index and generation. Guarded
/// by the handle's send lock; version() alone may be read without.
class GroupTable {
 public:
  GroupTable() = default;
  GroupTable(const GroupTable&) = delete;
  GroupTable& operator=(const GroupTable&) = delete;
  ~GroupTable();

  [[nodiscard]] Group* by_value(phx_group value) noexcept;
  [[nodiscard]] Group* by_id(GroupId id) noexcept;
  /// A fresh entry for `id`, which is not there yet. nullptr: no memory, or (full()) too many.
  [[nodiscard]] Group* add(GroupId id, const char* name, std::size_t name_bytes) noexcept;
  void remove(Group& group) noexcept;
  /// Replaces a group's list of members. False: no memory; the old list stays.
  [[nodiscard]] bool set_members(Group& group, const phx_member* members,
                                 std::size_t count) noexcept;

  [[nodiscard]] bool full() const noexcept { return used_ == kGroupsMax; }
  /// Changes whenever an entry comes or goes, or its client becomes a member or none: what was
  /// looked up before may be wrong now.
  [[nodiscard]] std::uint32_t version() const noexcept {
    return version_.load(std::memory_order_acquire);
  }

  void changed() noexcept { version_.fetch_add(1, std::memory_order_release); }

  template <class Visit>
  void for_each(Visit visit) noexcept {
    for (std::size_t i = 0; i < made_; ++i) {
      if (Group& group = at(i); group.used) visit(group);
    }
  }

 private:
  static constexpr std::size_t kChunk = 16;
  static constexpr std::size_t kBuckets = 256;

  [[nodiscard]] Group& at(std::size_t index) noexcept {
    return chunks_[index / kChunk][index % kChunk];
  }
  [[nodiscard]] std::uint16_t& bucket(GroupId id) noexcept { return buckets_[id % kBuckets]; }
  Group* chunks_[kGroupsMax / kChunk] = {};
  std::uint16_t buckets_[kBuckets] = {};
  std::uint16_t free_ = 0;
  std::size_t made_ = 0;
  std::size_t used_ = 0;
  std::atomic<std::uint32_t> version_{1};
};

}  // namespace phalanx::client

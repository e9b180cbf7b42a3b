#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "dataplane/core/group_state.h"
#include "dataplane/core/record.h"

namespace phalanx::core {

/// The ordered joins and leaves of this node's own clients on one lane: what its GROUP_STATE says
/// at the start of the next view. Changes only when a Join or Leave of this node is ordered, so it
/// allocates there (rare) and nowhere else.
class OwnJoins {
 public:
  void on_record(const RecordHeader& header, std::span<const std::byte> payload);
  [[nodiscard]] std::size_t state_bytes() const noexcept;
  /// state_bytes() of room.
  void encode(std::span<std::byte> out) const noexcept;
  /// From what encode() wrote; false when it did not.
  [[nodiscard]] bool decode(std::span<const std::byte> in);

 private:
  struct Entry {
    GroupId group;
    ClientId client;
    std::uint32_t process;
    std::string name;
  };
  std::vector<Entry> entries_;  // Sorted by (group, client).
};

}  // namespace phalanx::core

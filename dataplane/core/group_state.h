#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "ipc/base/ids.h"

namespace phalanx::core {

/// One ordered membership of a client of this node in a group.
struct Membership {
  GroupId group = 0;
  ClientId client = 0;
  std::uint32_t process = 0;
  std::string_view name;  ///< Points into the encoded bytes when decoded.
};

/// Payload of a Join record: u32 process id, then the group's name.
/// Payload of a GroupState record: u32 count, then for each membership u64 group, u32 client,
/// u32 process, u8 name length, name. Sorted by (group, client).
void encode_group_state(std::span<const Membership> memberships, std::span<std::byte> out) noexcept;
[[nodiscard]] std::size_t group_state_bytes(std::span<const Membership> memberships) noexcept;

/// The same piece by piece: the count, then each membership. Returns the bytes written.
std::size_t encode_group_count(std::size_t count, std::byte* out) noexcept;
std::size_t encode_membership(const Membership& membership, std::byte* out) noexcept;

/// Calls `each` for every membership; false (perhaps after some calls) when the bytes are
/// malformed.
[[nodiscard]] bool decode_group_state(std::span<const std::byte> in,
                                      const std::function<void(const Membership&)>& each);

/// False when shorter than 5 bytes or the name is longer than kGroupNameBytesMax.
[[nodiscard]] bool decode_join(std::span<const std::byte> in, Membership& out) noexcept;

}  // namespace phalanx::core

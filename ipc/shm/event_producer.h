#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "ipc/shm/bulk_ring.h"
#include "ipc/shm/channel_layout.h"

namespace phalanx::shm {

/// Writes events: into a client's delivery ring, or into the log that several clients read. Nothing
/// is shown before publish().
class EventProducer : public BulkProducer {
 public:
  using BulkProducer::BulkProducer;

  /// A whole Message. False: there is no room.
  [[nodiscard]] bool write_message(const MessageEvent& message, std::uint8_t flags,
                                   std::span<const std::byte> payload) noexcept {
    std::byte* room = append(static_cast<std::uint32_t>(sizeof message + payload.size()),
                             static_cast<std::uint8_t>(EventKind::Message), flags);
    if (room == nullptr) [[unlikely]]
      return false;
    std::memcpy(room, &message, sizeof message);
    if (!payload.empty()) std::memcpy(room + sizeof message, payload.data(), payload.size());
    return true;
  }
  /// The other kinds, from their parts. False: there is no room.
  [[nodiscard]] bool write_group_view(GroupId group, std::span<const GroupMember> members,
                                      std::span<const GroupMember> left,
                                      std::span<const GroupMember> joined,
                                      std::span<const std::byte> name) noexcept;
  [[nodiscard]] bool write_node_view(std::uint64_t sequence, NodeId representative,
                                     std::span<const NodeId> members, std::span<const NodeId> left,
                                     std::span<const NodeId> joined, bool quorate = false) noexcept;
  [[nodiscard]] bool write_transitional() noexcept;
  [[nodiscard]] bool write_refused(GroupId group, SubmissionKind kind,
                                   RefusedReason reason) noexcept;
};

}  // namespace phalanx::shm

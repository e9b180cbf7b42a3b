#include <cstring>

#include "ipc/shm/event_producer.h"

namespace phalanx::shm {
namespace {

/// Appends to a reserved body.
class BodyWriter {
 public:
  explicit BodyWriter(std::byte* at) noexcept : at_(at) {}
  void put(const void* data, std::size_t bytes) noexcept {
    if (bytes > 0) std::memcpy(at_, data, bytes);
    at_ += bytes;
  }

 private:
  std::byte* at_;
};

}  // namespace

bool EventProducer::write_group_view(GroupId group, std::span<const GroupMember> members,
                                     std::span<const GroupMember> left,
                                     std::span<const GroupMember> joined,
                                     std::span<const std::byte> name) noexcept {
  const GroupViewEvent event{.group = group,
                             .members = static_cast<std::uint32_t>(members.size()),
                             .left = static_cast<std::uint32_t>(left.size()),
                             .joined = static_cast<std::uint32_t>(joined.size()),
                             .name_bytes = static_cast<std::uint32_t>(name.size())};
  const std::size_t bytes =
      sizeof event + members.size_bytes() + left.size_bytes() + joined.size_bytes() + name.size();
  std::byte* room = reserve(static_cast<std::uint32_t>(bytes));
  if (room == nullptr) return false;
  BodyWriter body(room);
  body.put(&event, sizeof event);
  body.put(members.data(), members.size_bytes());
  body.put(left.data(), left.size_bytes());
  body.put(joined.data(), joined.size_bytes());
  body.put(name.data(), name.size());
  commit(static_cast<std::uint8_t>(EventKind::GroupView), 0);
  return true;
}

bool EventProducer::write_node_view(std::uint64_t sequence, NodeId representative,
                                    std::span<const NodeId> members, std::span<const NodeId> left,
                                    std::span<const NodeId> joined, bool quorate) noexcept {
  const NodeViewEvent event{.sequence = sequence,
                            .representative = representative,
                            .members = static_cast<std::uint32_t>(members.size()),
                            .left = static_cast<std::uint32_t>(left.size()),
                            .joined = static_cast<std::uint32_t>(joined.size())};
  const std::size_t bytes =
      sizeof event + members.size_bytes() + left.size_bytes() + joined.size_bytes();
  std::byte* room = reserve(static_cast<std::uint32_t>(bytes));
  if (room == nullptr) return false;
  BodyWriter body(room);
  body.put(&event, sizeof event);
  body.put(members.data(), members.size_bytes());
  body.put(left.data(), left.size_bytes());
  body.put(joined.data(), joined.size_bytes());
  commit(static_cast<std::uint8_t>(EventKind::NodeView), quorate ? kEventQuorate : std::uint8_t{0});
  return true;
}

bool EventProducer::write_transitional() noexcept {
  if (reserve(0) == nullptr) return false;
  commit(static_cast<std::uint8_t>(EventKind::Transitional), 0);
  return true;
}

bool EventProducer::write_refused(GroupId group, SubmissionKind kind,
                                  RefusedReason reason) noexcept {
  const RefusedEvent event{
      .group = group, .reason = reason, .kind = static_cast<std::uint32_t>(kind)};
  std::byte* room = reserve(sizeof event);
  if (room == nullptr) return false;
  std::memcpy(room, &event, sizeof event);
  commit(static_cast<std::uint8_t>(EventKind::Refused), 0);
  return true;
}

}  // namespace phalanx::shm

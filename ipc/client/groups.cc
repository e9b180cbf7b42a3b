#include "ipc/client/groups.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace phalanx::client {

GroupTable::~GroupTable() {
  for (std::size_t i = 0; i < made_; ++i) std::free(at(i).members);
  for (Group* chunk : chunks_) std::free(chunk);
}

Group* GroupTable::by_value(phx_group value) noexcept {
  const std::uint64_t number = value & 0xffffffff;
  if (number == 0 || number > made_) return nullptr;
  Group& group = at(number - 1);
  return group.used && group.value() == value ? &group : nullptr;
}

Group* GroupTable::by_id(GroupId id) noexcept {
  for (std::uint16_t next = bucket(id); next != 0;) {
    Group& group = at(next - 1u);
    if (group.id == id) return &group;
    next = group.next;
  }
  return nullptr;
}

Group* GroupTable::add(GroupId id, const char* name, std::size_t name_bytes) noexcept {
  Group* group = nullptr;
  if (free_ != 0) {
    group = &at(free_ - 1u);
    free_ = group->next;
  } else {
    if (made_ == kGroupsMax) return nullptr;
    Group*& chunk = chunks_[made_ / kChunk];
    if (chunk == nullptr) {
      void* memory = std::malloc(kChunk * sizeof(Group));
      if (memory == nullptr) return nullptr;
      chunk = static_cast<Group*>(memory);
      for (std::size_t i = 0; i < kChunk; ++i) new (&chunk[i]) Group;
    }
    group = &at(made_);
    group->index = static_cast<std::uint16_t>(made_++);
  }
  group->id = id;
  group->used = true;
  group->name_bytes = static_cast<std::uint8_t>(name_bytes);
  std::memcpy(group->name, name, name_bytes);
  group->next = bucket(id);
  bucket(id) = static_cast<std::uint16_t>(group->index + 1);
  ++used_;
  changed();
  return group;
}

void GroupTable::remove(Group& group) noexcept {
  std::uint16_t* link = &bucket(group.id);
  while (*link != group.index + 1) link = &at(*link - 1u).next;
  *link = group.next;

  std::free(group.members);
  const std::uint16_t index = group.index;
  const std::uint32_t generation = group.generation + 1;
  group = Group{};
  group.index = index;
  group.generation = generation == 0 ? 1 : generation;
  group.next = free_;
  free_ = static_cast<std::uint16_t>(index + 1);
  --used_;
  changed();
}

bool GroupTable::set_members(Group& group, const phx_member* members, std::size_t count) noexcept {
  if (count > group.member_room) {
    void* grown = std::realloc(group.members, count * sizeof *members);
    if (grown == nullptr) return false;
    group.members = static_cast<phx_member*>(grown);
    group.member_room = count;
  }
  if (count > 0) std::memcpy(group.members, members, count * sizeof *members);
  group.member_count = count;
  return true;
}

}  // namespace phalanx::client

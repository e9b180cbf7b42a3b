#pragma once

#include <cstring>
#include <string_view>
#include <vector>

#include "controlplane/map/service.h"
#include "tests/unit/map/bench.h"

namespace phalanx::map {

inline std::vector<std::byte> packet(shm::MapRequest head, std::string_view key = {},
                                     std::span<const std::byte> value = {}) {
  head.key_bytes = static_cast<std::uint32_t>(key.size());
  head.value_bytes = static_cast<std::uint32_t>(value.size());
  std::vector<std::byte> bytes(sizeof head + key.size() + value.size());
  std::memcpy(bytes.data(), &head, sizeof head);
  if (!key.empty()) std::memcpy(bytes.data() + sizeof head, key.data(), key.size());
  if (!value.empty()) {
    std::memcpy(bytes.data() + sizeof head + key.size(), value.data(), value.size());
  }
  return bytes;
}

inline shm::MapReply head_of(const std::vector<std::byte>& reply) {
  shm::MapReply head;
  std::memcpy(&head, reply.data(), sizeof head);
  return head;
}

}  // namespace phalanx::map

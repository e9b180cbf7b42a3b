#pragma once

#include <cstring>
#include <string_view>
#include <vector>

#include "controlplane/map/service.h"
#include "ipc/shm/map_protocol.h"
#include "tests/unit/map/bench.h"

namespace phalanx::map {

/// The bytes of a request.
inline std::vector<std::byte> packet(shm::MapRequest head, std::string_view key = {},
                                     std::span<const std::byte> value = {}) {
  head.key_bytes = static_cast<std::uint32_t>(key.size());
  std::vector<std::byte> bytes(sizeof head + key.size() + value.size());
  std::memcpy(bytes.data(), &head, sizeof head);
  if (!key.empty()) std::memcpy(bytes.data() + sizeof head, key.data(), key.size());
  if (!value.empty()) {
    std::memcpy(bytes.data() + sizeof head + key.size(), value.data(), value.size());
  }
  return bytes;
}

}  // namespace phalanx::map

#pragma once

#include <memory>
#include <string>

#include "tests/unit/transport_parts/frames.h"
#include "transport/shm/shm_transport.h"

namespace phalanx::transport::shm {

inline constexpr std::uint32_t kFrameBytes = 1500;

[[nodiscard]] ShmConfig config_of(const std::string& directory, NodeId self, std::size_t nodes);
[[nodiscard]] std::unique_ptr<Transport> open_node(const std::string& directory, NodeId self,
                                                   std::size_t nodes);
/// Where open_node() lets them meet.
[[nodiscard]] std::string socket_of(const std::string& directory, NodeId node);

}  // namespace phalanx::transport::shm

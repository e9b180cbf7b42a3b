#pragma once

#include <memory>
#include <string>

#include "tests/unit/transport_parts/frames.h"
#include "transport/dpdk/dpdk_transport.h"

namespace phalanx::transport::dpdk {

/// What a host without hugepages needs to be told: the tests run there too.
[[nodiscard]] std::string eal_words();

[[nodiscard]] DpdkConfig memif_config(const std::string& directory, NodeId self, std::size_t nodes);
[[nodiscard]] std::unique_ptr<Transport> open_memif_node(const std::string& directory, NodeId self,
                                                         std::size_t nodes);

/// Lets the node on the other side of a link answer every frame with the same, until it is killed.
[[noreturn]] void play_peer(const std::string& directory, NodeId self);

}  // namespace phalanx::transport::dpdk

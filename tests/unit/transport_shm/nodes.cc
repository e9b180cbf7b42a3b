#include "tests/unit/transport_shm/nodes.h"

#include <gtest/gtest.h>

namespace phalanx::transport::shm {

ShmConfig config_of(const std::string& directory, NodeId self, std::size_t nodes) {
  ShmConfig config{
      .self = self, .nodes = {}, .directory = directory + "/shm", .frame_bytes = kFrameBytes};
  for (NodeId node = 1; node <= nodes; ++node) config.nodes.push_back(node);
  return config;
}

std::unique_ptr<Transport> open_node(const std::string& directory, NodeId self, std::size_t nodes) {
  auto opened = open(config_of(directory, self, nodes));
  EXPECT_TRUE(opened) << opened.error().text();
  return opened ? std::move(*opened) : nullptr;
}

std::string socket_of(const std::string& directory, NodeId node) {
  return directory + "/shm/" + std::to_string(node) + ".sock";
}

}  // namespace phalanx::transport::shm

#include "tests/unit/transport_dpdk/nodes.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "transport/dpdk/hugepages.h"

namespace phalanx::transport::dpdk {

std::string eal_words() { return check_hugepages(128u << 20) ? "" : "--no-huge -m 128"; }

DpdkConfig memif_config(const std::string& directory, NodeId self, std::size_t nodes) {
  DpdkConfig config{.self = self,
                    .peers = {},
                    .multicast = {},
                    .port = "memif",
                    .memif_directory = directory + "/memif",
                    .eal = {.instance = "test", .cpu = {}, .pci = {}, .extra = eal_words()}};
  for (NodeId node = 1; node <= nodes; ++node) config.peers.push_back({node, {}});
  return config;
}

std::unique_ptr<Transport> open_memif_node(const std::string& directory, NodeId self,
                                           std::size_t nodes) {
  auto opened = open(memif_config(directory, self, nodes));
  EXPECT_TRUE(opened) << opened.error().text();
  return opened ? std::move(opened->front()) : nullptr;
}

void play_peer(const std::string& directory, NodeId self) {
  const auto node = open_memif_node(directory, self, 2);
  if (node == nullptr) _exit(1);
  echo(*node);
}

}  // namespace phalanx::transport::dpdk

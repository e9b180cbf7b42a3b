#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "tests/unit/transport_shm/nodes.h"

// "--peer DIRECTORY ID": the node that a test kills. Otherwise the tests.
int main(int argc, char** argv) {
  using namespace phalanx::transport;
  if (argc == 4 && std::string(argv[1]) == "--peer") {
    const auto self = static_cast<phalanx::NodeId>(std::strtoul(argv[3], nullptr, 10));
    const auto node = shm::open_node(argv[2], self, 2);
    if (node == nullptr) _exit(1);
    echo(*node);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/unit/transport_dpdk/nodes.h"

// "--peer DIRECTORY ID": the node that a test kills. Otherwise the tests.
int main(int argc, char** argv) {
  if (argc == 4 && std::string(argv[1]) == "--peer") {
    phalanx::transport::dpdk::play_peer(
        argv[2], static_cast<phalanx::NodeId>(std::strtoul(argv[3], nullptr, 10)));
  }
  testing::InitGoogleTest(&argc, argv);
  const int result = RUN_ALL_TESTS();
  const testing::UnitTest& tests = *testing::UnitTest::GetInstance();
  const bool all_skipped = tests.test_to_run_count() == tests.skipped_test_count();
  return result == 0 && all_skipped ? 77 : result;
}

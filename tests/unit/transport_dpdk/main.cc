#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/unit/transport_dpdk/nodes.h"

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the sanitizers' names.

// af_xdp's driver forgets what it has made with libxdp when its port is closed.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:xsk_umem__create\n"; }

// The gate asks every number whether it is the interrupt thread's epoll set, while other threads
// open and close descriptors: the kernel tells it apart. And DPDK's own libraries are not
// instrumented: their heap clears what one thread frees and another takes, under a lock unseen.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race:phalanx::transport::dpdk::InterruptGate::interrupt_set\n"
         "race:rte_mempool_create_empty\n";
}

// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

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

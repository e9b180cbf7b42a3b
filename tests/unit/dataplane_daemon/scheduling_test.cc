#include "ipc/base/scheduling.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <fstream>
#include <string>
#include <thread>

namespace phalanx {
namespace {

/// What the kernel says of the calling thread: "se.slice  :  100000". -1: it does not.
long slice_ns() {
  std::ifstream file("/proc/thread-self/sched");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("se.slice ")) return std::stol(line.substr(line.find(':') + 1));
  }
  return -1;
}

// In a thread of its own, so that the other tests run as before.
TEST(Scheduling, ShortensTurnsAndLeavesTheRest) {
  long slice = -1;
  std::thread([&] {
    const int nice = getpriority(PRIO_PROCESS, 0);
    ask_for_short_turns();
    EXPECT_EQ(getpriority(PRIO_PROCESS, 0), nice);
    EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
    slice = slice_ns();
  }).join();

  if (slice < 0) GTEST_SKIP() << "this kernel does not tell the length of a turn";
  EXPECT_EQ(slice, 100'000);
}

}  // namespace
}  // namespace phalanx

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>

#include "ipc/base/time_ns.h"
#include "tests/unit/steady_state/census.h"

namespace phalanx::testing {
namespace {

class CensusTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const char* why = why_no_census()) GTEST_SKIP() << why;
  }
};

TEST_F(CensusTest, SeesASystemCallAndItIsDone) {
  const long expected = syscall(SYS_getppid);

  Count count;
  const long got = syscall(SYS_getppid);
  const Census seen = count.end();

  EXPECT_EQ(got, expected);
  EXPECT_EQ(seen.system_calls, 1U);
  EXPECT_EQ(seen.system_call, SYS_getppid);
}

TEST_F(CensusTest, SeesAnAllocation) {
  Count count;
  delete new volatile int(7);
  const Census seen = count.end();

  EXPECT_EQ(seen.allocations, 2U);
}

TEST_F(CensusTest, SeesALockThatNobodyElseHolds) {
  std::mutex mutex;
  Count count;
  mutex.lock();
  const Census seen = count.end();
  mutex.unlock();

  EXPECT_EQ(seen.locks, 1U);
  EXPECT_EQ(seen.system_calls, 0U);
}

TEST_F(CensusTest, SeesNothingWhereThereIsNothing) {
  Count count;
  const TimeNs now = monotonic_now();  // The loop reads it before every turn.
  const Census seen = count.end();

  EXPECT_GT(now, 0U);
  EXPECT_EQ(seen.allocations + seen.locks + seen.system_calls, 0U);
}

}  // namespace
}  // namespace phalanx::testing

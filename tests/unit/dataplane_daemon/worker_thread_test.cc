#include "dataplane/daemon/worker_thread.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

namespace phalanx::dataplane {
namespace {

using config::IdleStrategy;

std::uint32_t some_core() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof allowed, &allowed);
  std::uint32_t cpu = 0;
  while (!CPU_ISSET(cpu, &allowed)) ++cpu;
  return cpu;
}

/// A thread that looks like a worker's, pinned to a core.
class OtherWorker {
 public:
  explicit OtherWorker(std::uint32_t cpu)
      : thread_([this, cpu] {
          as_told_ = become_worker_thread({.idle = IdleStrategy::Adaptive, .cpu = cpu});
          ready_ = true;
          ready_.notify_one();
          stop_.wait(false);
        }) {
    ready_.wait(false);
  }
  ~OtherWorker() {
    stop_ = true;
    stop_.notify_one();
    thread_.join();
  }
  [[nodiscard]] bool as_told() const { return as_told_; }

 private:
  std::atomic<bool> ready_{false};
  std::atomic<bool> stop_{false};
  std::atomic<bool> as_told_{false};
  std::thread thread_;
};

TEST(WorkerThread, MayBePinnedToACoreOfThisProcess) {
  EXPECT_TRUE(check_worker_thread({.idle = IdleStrategy::Adaptive, .cpu = some_core()}));
  EXPECT_TRUE(check_worker_thread({.idle = IdleStrategy::Adaptive, .cpu = {}}));
}

TEST(WorkerThread, IsRefusedACoreThatIsNotThere) {
  const auto checked = check_worker_thread({.idle = IdleStrategy::Adaptive, .cpu = 1023});

  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ExitCode::Usage);
  EXPECT_NE(checked.error().attempted.find("worker.cpu = 1023"), std::string::npos);
  EXPECT_NE(checked.error().observed.find(std::to_string(some_core())), std::string::npos);
  EXPECT_NE(checked.error().remedy.find("-1"), std::string::npos);
}

// Two workers that yield share a core well; one that never does starves the other.
TEST(WorkerThread, SharesACoreOnlyIfItGivesWay) {
  const std::uint32_t cpu = some_core();
  const OtherWorker other(cpu);
  ASSERT_TRUE(other.as_told());

  const auto adaptive = check_worker_thread({.idle = IdleStrategy::Adaptive, .cpu = cpu});
  const auto busy = check_worker_thread({.idle = IdleStrategy::Busy, .cpu = cpu});

  EXPECT_TRUE(adaptive);
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code, ExitCode::Usage);
  EXPECT_NE(busy.error().observed.find("process " + std::to_string(getpid())), std::string::npos)
      << busy.error().text();
}

// On its own core a worker is as fast as alone; two on one take turns.
TEST(WorkerThread, AreRefusedMoreThanCores) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(some_core(), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  const auto checked = check_worker_thread({.idle = IdleStrategy::Adaptive, .count = 2});
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);

  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ExitCode::Usage);
  EXPECT_NE(checked.error().attempted.find("worker.count = 2"), std::string::npos);
  EXPECT_NE(checked.error().observed.find("the cores " + std::to_string(some_core()) + " only"),
            std::string::npos)
      << checked.error().observed;
  EXPECT_NE(checked.error().remedy.find("worker.count = 1"), std::string::npos);
}

TEST(WorkerThread, OfSeveralIsRefusedACoreThatIsNotThere) {
  const auto checked = check_worker_thread({.count = 1, .cpus = {1022}});

  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().attempted.find("worker.cpus: 1022"), std::string::npos);
}

TEST(WorkerThread, OfEachHasANameOfItsOwn) {
  std::string name(16, '\0');
  bool as_told = false;
  std::thread([&] {
    as_told = become_worker_thread({.count = 2}, 1);
    pthread_getname_np(pthread_self(), name.data(), name.size());
  }).join();

  EXPECT_TRUE(as_told);
  EXPECT_STREQ(name.c_str(), "phx-worker-1");
}

TEST(WorkerThread, IsRefusedRealtimeWithoutTheRight) {
  const auto without_the_right = [] {
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    if (setrlimit(RLIMIT_RTPRIO, &none) != 0) _exit(1);
    if (geteuid() == 0 && setuid(65534) != 0) _exit(2);
    const auto checked = check_worker_thread({.realtime = true});
    if (checked || checked.error().code != ExitCode::Permission) _exit(3);
    _exit(checked.error().remedy.find("LimitRTPRIO=1") != std::string::npos ? 0 : 4);
  };

  EXPECT_EXIT(without_the_right(), testing::ExitedWithCode(0), "");
}

TEST(WorkerThread, RunsRealtimeWithTheRightAndLeavesTheAskingThreadAlone) {
  const auto checked = check_worker_thread({.realtime = true});
  if (!checked && checked.error().code == ExitCode::Permission) {
    GTEST_SKIP() << checked.error().observed;
  }
  ASSERT_TRUE(checked) << checked.error().text();
  EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
  int policy = -1;

  std::thread([&policy] {
    if (become_worker_thread({.realtime = true})) policy = sched_getscheduler(0);
  }).join();

  EXPECT_EQ(policy, SCHED_RR);
}

}  // namespace
}  // namespace phalanx::dataplane

#include "controlplane/daemon/watch_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <future>
#include <memory>
#include <thread>

#include "controlplane/daemon/instance.h"
#include "controlplane/watch/watcher.h"
#include "tests/unit/controlplane_daemon/temporary_directory.h"

namespace phalanx::controlplane {
namespace {

class WatchServerTest : public testing::Test {
 protected:
  void serve(const security::Acl& acl, std::uint32_t guest) {
    auto opened = Instance::open({.runtime_directory = root_.path() + "/run", .name = "n1"});
    ASSERT_TRUE(opened);
    instance_ = std::make_unique<Instance>(std::move(*opened));
    auto listener = instance_->listen("watch.sock", SOCK_SEQPACKET, Instance::Access::Others);
    ASSERT_TRUE(listener);
    server_ = std::make_unique<WatchServer>(
        loop_, std::move(*listener), acl, guest,
        WatchServer::Sources{.status =
                                 [this] {
                                   ++computed_;
                                   return std::string(R"({"state":"operational"})");
                                 },
                             .statistics = [this] { return statistics_; }});
  }

  Expected<watch::Seen, Error> look() {
    auto asked =
        std::async(std::launch::async, [this] { return watch::look(instance_->directory()); });
    while (asked.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
      (void)loop_.run_once(0);
    }
    return asked.get();
  }

  TemporaryDirectory root_;
  EventLoop loop_;
  std::unique_ptr<Instance> instance_;
  std::unique_ptr<WatchServer> server_;
  int statistics_ = -1;
  int computed_ = 0;
};

TEST_F(WatchServerTest, GivesStatusAndMemoryToWhoeverMayAttach) {
  const auto memory = shm::StatisticsMemory::create({.node = 3, .boot = {}}, 77);
  ASSERT_TRUE(memory);
  statistics_ = memory->fd();
  serve(security::Acl(geteuid(), {}, {}), geteuid());

  const auto seen = look();

  ASSERT_TRUE(seen) << seen.error().text();
  EXPECT_EQ(seen->status, R"({"state":"operational"})");
  ASSERT_TRUE(seen->statistics);
  EXPECT_EQ(seen->statistics->layout().pid, 77U);
}

TEST_F(WatchServerTest, WithoutADataPlaneThereIsTheStatusAlone) {
  serve(security::Acl(geteuid(), {}, {}), geteuid());

  const auto seen = look();

  ASSERT_TRUE(seen);
  EXPECT_FALSE(seen->statistics);
}

// However many ask: what it costs the control plane has a bound.
TEST_F(WatchServerTest, ManyQuestionsAreOneComputation) {
  serve(security::Acl(geteuid(), {}, {}), geteuid());
  const TimeNs begun = monotonic_now();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(look());
  const auto spans = static_cast<int>((monotonic_now() - begun) / WatchServer::kAge);

  EXPECT_LE(computed_, spans + 1);
}

TEST_F(WatchServerTest, NobodyThereIsNotRunning) {
  const auto seen = watch::look(root_.path());

  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code, ExitCode::NotRunning);
}

}  // namespace
}  // namespace phalanx::controlplane

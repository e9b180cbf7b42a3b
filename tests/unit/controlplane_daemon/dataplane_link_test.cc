#include "controlplane/daemon/dataplane_link.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "controlplane/daemon/instance.h"
#include "controlplane/daemon/spawn.h"
#include "tests/unit/controlplane_daemon/temporary_directory.h"

namespace phalanx::controlplane {
namespace {

/// A data plane that is nothing but a socket, in this very process.
class DataPlaneLinkTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = Instance::open({.runtime_directory = root_.path() + "/run", .name = "n1"});
    ASSERT_TRUE(opened);
    instance_ = std::make_unique<Instance>(std::move(*opened));
    auto listener = instance_->listen("dataplane.sock", SOCK_SEQPACKET, Instance::Access::Owner);
    ASSERT_TRUE(listener);
    listener_ = std::move(*listener);
    link_ = std::make_unique<DataPlaneLink>(
        loop_,
        DataPlaneLink::Options{.socket_path = instance_->path("dataplane.sock"),
                               .may_start = false,
                               .node = 7,
                               .config_hash = 9},
        DataPlaneLink::Handlers{.up = [this](const shm::DataPlaneIdentity&) { ++ups_; },
                                .event = [](const shm::Event&) {},
                                .down = [this](const shm::DataPlaneIdentity&) { ++downs_; },
                                .failed = [](const Error&) { FAIL(); }});
    link_->begin();
    ASSERT_TRUE(loop_.run_once(monotonic_now() + kSecond));
  }
  [[nodiscard]] Fd accept_one() const {
    return Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  }

  TemporaryDirectory root_;
  EventLoop loop_;
  std::unique_ptr<Instance> instance_;
  Fd listener_;
  std::unique_ptr<DataPlaneLink> link_;
  int ups_ = 0;
  int downs_ = 0;
};

// On an emulated or busy host one that was ended after ten seconds never came up.
TEST_F(DataPlaneLinkTest, ASlowHostsDataPlaneMayTakeLongerToListen) {
  EXPECT_EQ(DataPlaneLink::start_limit_for(50 * kMillisecond), 10 * kSecond);
  EXPECT_EQ(DataPlaneLink::start_limit_for(4 * kSecond), 40 * kSecond);
  EXPECT_EQ(DataPlaneLink::start_limit_for(60 * kSecond), 120 * kSecond);
}

// The loop has peers to vouch to and clients to refuse meanwhile.
TEST_F(DataPlaneLinkTest, WaitsForTheWelcomeInTheLoop) {
  const Fd connection = accept_one();
  ASSERT_TRUE(connection);
  EXPECT_FALSE(loop_.run_once(0));
  EXPECT_FALSE(link_->is_up());

  const auto segment = shm::ControlSegment::create({.self = {7, {}},
                                                    .pid = static_cast<std::uint32_t>(getpid()),
                                                    .config_hash = 9,
                                                    .obituary = {}});
  ASSERT_TRUE(segment);
  const Fd bell(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  ASSERT_TRUE(shm::send_welcome(connection.get(), static_cast<std::uint32_t>(getpid()),
                                {.segment = segment->fd(),
                                 .statistics = segment->statistics().fd(),
                                 .command_doorbell = bell.get(),
                                 .event_doorbell = bell.get()}));
  ASSERT_TRUE(loop_.run_once(0));

  EXPECT_TRUE(link_->is_up());
  EXPECT_EQ(ups_, 1);
}

// The threads of a killed process end one by one; the first that sleeps tells of it.
TEST_F(DataPlaneLinkTest, TakesTheEndOfTheWitnessForTheEndOfAll) {
  const Fd connection = accept_one();
  std::promise<std::uint32_t> id;
  std::promise<void> end;
  std::thread witness([&] {
    id.set_value(static_cast<std::uint32_t>(gettid()));
    end.get_future().wait();
  });
  const std::uint32_t thread = id.get_future().get();
  const bool supported = open_thread(static_cast<pid_t>(thread)).has_value();
  const auto segment = shm::ControlSegment::create({.self = {7, {}},
                                                    .pid = static_cast<std::uint32_t>(getpid()),
                                                    .witness = thread,
                                                    .config_hash = 9,
                                                    .obituary = {}});
  const Fd bell(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  ASSERT_TRUE(segment);
  ASSERT_TRUE(shm::send_welcome(connection.get(), static_cast<std::uint32_t>(getpid()),
                                {.segment = segment->fd(),
                                 .statistics = segment->statistics().fd(),
                                 .command_doorbell = bell.get(),
                                 .event_doorbell = bell.get()}));
  ASSERT_TRUE(loop_.run_once(0));
  ASSERT_TRUE(link_->is_up());

  end.set_value();
  witness.join();
  if (!supported) GTEST_SKIP() << "this kernel watches no single threads";
  ASSERT_TRUE(loop_.run_once(monotonic_now() + kSecond));

  EXPECT_EQ(downs_, 1);
  EXPECT_FALSE(link_->is_up());
}

TEST_F(DataPlaneLinkTest, TriesAgainAfterAHangUpInsteadOfAWelcome) {
  Fd connection = accept_one();
  ASSERT_TRUE(connection);
  connection.reset();

  for (int events = 0; events < 3 && !connection; ++events) {
    (void)loop_.run_once(monotonic_now() + kSecond);
    connection = accept_one();
  }

  EXPECT_TRUE(connection);
  EXPECT_FALSE(link_->is_up());
}

TEST_F(DataPlaneLinkTest, StopsWhileItWaitsForTheWelcome) {
  const Fd connection = accept_one();

  link_->stop(kSecond);

  EXPECT_EQ(downs_, 1);
  std::byte byte{};
  EXPECT_EQ(recv(connection.get(), &byte, 1, 0), 0);  // It hung up.
}

}  // namespace
}  // namespace phalanx::controlplane

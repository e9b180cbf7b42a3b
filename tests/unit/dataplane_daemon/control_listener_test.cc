#include "dataplane/daemon/control_listener.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "ipc/shm/control_channel.h"
#include "ipc/shm/control_socket.h"

namespace phalanx::dataplane {
namespace {

struct ControlListenerTest : testing::Test {
  ControlListenerTest() { root = mkdtemp(path); }
  ~ControlListenerTest() override { std::filesystem::remove_all(root); }
  char path[64] = "/tmp/phalanx-test-XXXXXX";
  std::string root;
};

TEST_F(ControlListenerTest, MakesItsDirectoryAndSocketPrivate) {
  const auto listener = ControlListener::open(root + "/run/n1");

  ASSERT_TRUE(listener);
  struct stat directory {};
  struct stat socket {};
  ASSERT_EQ(stat((root + "/run/n1").c_str(), &directory), 0);
  ASSERT_EQ(stat((root + "/run/n1/dataplane.sock").c_str(), &socket), 0);
  EXPECT_EQ(directory.st_mode & 0777, 0700U);
  EXPECT_EQ(socket.st_mode & 0777, 0600U);
}

TEST_F(ControlListenerTest, OneDataPlaneAnInstance) {
  const auto first = ControlListener::open(root + "/n1");
  const auto second = ControlListener::open(root + "/n1");

  ASSERT_TRUE(first);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().observed.find("another data plane"), std::string::npos);
}

TEST_F(ControlListenerTest, TakesThePlaceOfADeadOne) {
  { const auto first = ControlListener::open(root + "/n1"); }
  ASSERT_EQ(mknod((root + "/n1/dataplane.sock").c_str(), S_IFREG | 0600, 0), 0);

  EXPECT_TRUE(ControlListener::open(root + "/n1"));
}

TEST_F(ControlListenerTest, APathThatIsTooLongNamesTheRemedy) {
  const auto listener = ControlListener::open(root + "/" + std::string(100, 'x'));

  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().code, ExitCode::Usage);
  EXPECT_NE(listener.error().remedy.find("runtime_directory"), std::string::npos);
}

TEST_F(ControlListenerTest, AControlPlaneGetsTheSegment) {
  const auto listener = ControlListener::open(root + "/n1");
  ASSERT_TRUE(listener);
  const auto segment = shm::ControlSegment::create({.self = {7, {}}, .pid = 5, .obituary = {}});
  ASSERT_TRUE(segment);
  EXPECT_FALSE(listener->accept());  // Nobody yet, and nothing blocks.

  // Nothing waits for the other side: both ends can be this thread.
  const auto connected = shm::connect_data_plane((root + "/n1/dataplane.sock").c_str());
  ASSERT_TRUE(connected);
  const auto early = shm::receive_welcome(connected->get());
  ASSERT_TRUE(early);
  EXPECT_FALSE(*early);
  const Fd connection = listener->accept();
  ASSERT_TRUE(connection);
  ASSERT_TRUE(shm::send_welcome(
      connection.get(), 5,
      {.segment = segment->fd(), .statistics = 0, .command_doorbell = 0, .event_doorbell = 0}));
  const auto welcome = shm::receive_welcome(connected->get());
  ASSERT_TRUE(welcome && *welcome);
  EXPECT_EQ((*welcome)->pid, 5U);
}

TEST_F(ControlListenerTest, NobodyThereIsNotRunning) {
  const auto connection = shm::connect_data_plane((root + "/dataplane.sock").c_str());

  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, ExitCode::NotRunning);
}

}  // namespace
}  // namespace phalanx::dataplane

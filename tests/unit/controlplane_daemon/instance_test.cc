#include "controlplane/daemon/instance.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tests/unit/controlplane_daemon/temporary_directory.h"

namespace phalanx::controlplane {
namespace {

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

TEST(Instance, RefusesASecondOneWhileTheFirstLivesAndNamesIt) {
  const TemporaryDirectory root;
  const auto first = Instance::open({.runtime_directory = root.path() + "/run", .name = "n1"});
  ASSERT_TRUE(first);

  const auto second = Instance::open({.runtime_directory = root.path() + "/run", .name = "n1"});

  ASSERT_FALSE(second);
  EXPECT_NE(second.error().observed.find("process " + std::to_string(getpid())), std::string::npos);
}

TEST(Instance, CleansTheSocketThatADeadOneLeft) {
  const TemporaryDirectory root;
  const Instance::Options options{.runtime_directory = root.path() + "/run", .name = "n1"};
  std::string left;
  {
    auto first = Instance::open(options);
    ASSERT_TRUE(first && first->listen("admin.sock", SOCK_SEQPACKET, Instance::Access::Owner));
    left = first->path("admin.sock");
    ASSERT_EQ(link(left.c_str(), (left + ".kept").c_str()), 0);
  }
  ASSERT_EQ(rename((left + ".kept").c_str(), left.c_str()), 0);  // As if it had been killed.

  auto second = Instance::open(options);

  ASSERT_TRUE(second);
  EXPECT_TRUE(second->listen("admin.sock", SOCK_SEQPACKET, Instance::Access::Owner));
}

TEST(Instance, RemovesItsSocketsWhenItEnds) {
  const TemporaryDirectory root;
  std::string path;
  {
    auto instance = Instance::open({.runtime_directory = root.path() + "/run", .name = "n1"});
    ASSERT_TRUE(instance);
    ASSERT_TRUE(instance->listen("admin.sock", SOCK_SEQPACKET, Instance::Access::Owner));
    path = instance->path("admin.sock");
    EXPECT_EQ(mode_of(path), 0600U);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Instance, OpensTheClientSocketOnlyWhenOthersMayAttach) {
  const TemporaryDirectory root;
  auto closed = Instance::open({.runtime_directory = root.path() + "/a", .name = "n1"});
  auto open = Instance::open(
      {.runtime_directory = root.path() + "/b", .name = "n1", .others_attach = true});
  ASSERT_TRUE(closed && open);

  ASSERT_TRUE(closed->listen("phalanx.sock", SOCK_STREAM, Instance::Access::Others));
  ASSERT_TRUE(open->listen("phalanx.sock", SOCK_STREAM, Instance::Access::Others));
  ASSERT_TRUE(open->listen("admin.sock", SOCK_SEQPACKET, Instance::Access::Owner));

  EXPECT_EQ(mode_of(closed->directory()), 0700U);
  EXPECT_EQ(mode_of(closed->path("phalanx.sock")), 0600U);
  EXPECT_EQ(mode_of(open->directory()), 0711U);
  EXPECT_EQ(mode_of(open->path("phalanx.sock")), 0666U);
  EXPECT_EQ(mode_of(open->path("admin.sock")), 0600U);
}

TEST(Instance, RefusesADirectoryThatOthersMayWriteTo) {
  const TemporaryDirectory root;
  const std::string shared = root.path() + "/run";
  ASSERT_EQ(mkdir(shared.c_str(), 0700), 0);
  ASSERT_EQ(chmod(shared.c_str(), 0777), 0);

  const auto instance = Instance::open({.runtime_directory = shared, .name = "n1"});

  ASSERT_FALSE(instance);
  EXPECT_EQ(instance.error().code, ExitCode::Permission);
}

TEST(Instance, NamesAPathThatIsTooLongForASocket) {
  const TemporaryDirectory root;
  auto instance = Instance::open(
      {.runtime_directory = root.path() + "/" + std::string(100, 'x'), .name = "n1"});
  ASSERT_TRUE(instance);

  const auto listening = instance->listen("admin.sock", SOCK_SEQPACKET, Instance::Access::Owner);

  ASSERT_FALSE(listening);
  EXPECT_EQ(listening.error().code, ExitCode::Usage);
}

}  // namespace
}  // namespace phalanx::controlplane

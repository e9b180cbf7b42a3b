#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "controlplane/cli/key_file.h"
#include "transport/wire/keys.h"

namespace phalanx::cli {
namespace {

/// An empty directory of this test's own.
class KeyGenerate : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "phx-cli-XXXXXX";
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
    path_ = directory_ + "/cluster.key";
  }
  void TearDown() override {
    std::remove(path_.c_str());
    EXPECT_EQ(std::remove(directory_.c_str()), 0) << "nothing else was left there";
  }

  std::string directory_;
  std::string path_;
};

TEST_F(KeyGenerate, WritesAKeyThatOnlyItsOwnerMayRead) {
  ASSERT_TRUE(write_key_file(path_, 3, false));

  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  const auto key = wire::load_cluster_key(path_);
  ASSERT_TRUE(key) << key.error().text();
  EXPECT_EQ(key->id, 3U);
}

TEST_F(KeyGenerate, ReplacesAKeyOnlyWhenTold) {
  ASSERT_TRUE(write_key_file(path_, 1, false));

  const auto refused = write_key_file(path_, 2, false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().observed, "it exists");
  EXPECT_EQ(wire::load_cluster_key(path_)->id, 1U);

  ASSERT_TRUE(write_key_file(path_, 2, true));
  EXPECT_EQ(wire::load_cluster_key(path_)->id, 2U);
}

// A writer that dies half-way leaves a file beside the key: the key stays whole, and the next
// writer is not in its way.
TEST_F(KeyGenerate, GoesOverWhatADeadWriterLeft) {
  ASSERT_TRUE(write_key_file(path_, 1, false));
  std::ofstream(path_ + ".new") << "phalanx-cluster-key 1\nid 2\nkey 12";

  EXPECT_EQ(wire::load_cluster_key(path_)->id, 1U);
  ASSERT_TRUE(write_key_file(path_, 2, true));

  EXPECT_EQ(wire::load_cluster_key(path_)->id, 2U);
  struct stat status {};
  EXPECT_NE(stat((path_ + ".new").c_str(), &status), 0);
}

TEST_F(KeyGenerate, SaysWhichDirectoryIsMissing) {
  const auto written = write_key_file(directory_ + "/no/cluster.key", 1, false);

  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().observed, "open: No such file or directory (ENOENT)");
}

}  // namespace
}  // namespace phalanx::cli

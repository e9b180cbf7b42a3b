#include "controlplane/daemon/state_file.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>

#include "tests/unit/controlplane_daemon/temporary_directory.h"

namespace phalanx::controlplane {
namespace {

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void overwrite(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::trunc) << text;
}

TEST(StateFile, StartsWithNothingUsedAndTwoBlocksReserved) {
  const TemporaryDirectory directory;

  const auto state = StateFile::open(directory.path(), 3);

  ASSERT_TRUE(state);
  EXPECT_EQ(state->used(), 0U);
  EXPECT_EQ(state->reserved(), 2 * StateFile::kBlock);
  EXPECT_TRUE(std::filesystem::exists(state->path()));
}

TEST(StateFile, TakesForUsedWhateverAnEarlierProcessReserved) {
  const TemporaryDirectory directory;
  {
    auto state = StateFile::open(directory.path(), 3);
    ASSERT_TRUE(state && state->reserve(7 * StateFile::kBlock + 17));
    EXPECT_EQ(state->reserved(), 8 * StateFile::kBlock);
  }

  const auto again = StateFile::open(directory.path(), 3);

  ASSERT_TRUE(again);
  EXPECT_EQ(again->used(), 8 * StateFile::kBlock);
  EXPECT_EQ(again->reserved(), 10 * StateFile::kBlock);
}

TEST(StateFile, WritesOnlyWhenASequenceIsBeyondTheReserve) {
  const TemporaryDirectory directory;
  auto state = StateFile::open(directory.path(), 3);
  ASSERT_TRUE(state);
  std::filesystem::remove(state->path());

  ASSERT_TRUE(state->reserve(2 * StateFile::kBlock));
  EXPECT_FALSE(std::filesystem::exists(state->path()));
  ASSERT_TRUE(state->reserve(2 * StateFile::kBlock + 1));

  EXPECT_TRUE(std::filesystem::exists(state->path()));
  EXPECT_EQ(state->reserved(), 3 * StateFile::kBlock);
}

TEST(StateFile, RefusesEveryCorruptedByte) {
  const TemporaryDirectory directory;
  auto state = StateFile::open(directory.path(), 3);
  ASSERT_TRUE(state);
  const std::string good = content_of(state->path());

  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x04);
    overwrite(state->path(), bad);
    const auto opened = StateFile::open(directory.path(), 3);
    ASSERT_FALSE(opened) << "byte " << i;
    EXPECT_NE(opened.error().remedy.find("delete it"), std::string::npos);
  }
  for (std::size_t length = 0; length < good.size(); ++length) {
    overwrite(state->path(), good.substr(0, length));
    EXPECT_FALSE(StateFile::open(directory.path(), 3)) << "length " << length;
  }
}

TEST(StateFile, RefusesTheFileOfAnotherNode) {
  const TemporaryDirectory directory;
  ASSERT_TRUE(StateFile::open(directory.path(), 3));
  std::filesystem::rename(directory.path() + "/node3.state", directory.path() + "/node4.state");

  const auto state = StateFile::open(directory.path(), 4);

  ASSERT_FALSE(state);
  EXPECT_NE(state.error().observed.find("node 3"), std::string::npos);
}

// Two blocks above it there is no sequence: the next one would start at 0 again.
TEST(StateFile, RefusesASequenceThatWouldWrapAround) {
  const TemporaryDirectory directory;
  ASSERT_TRUE(StateFile::open(directory.path(), 3));
  overwrite(directory.path() + "/node3.state",
            "phalanx-state 1\nnode 3\nsequence 18446744073709551615\nchecksum 616708e6\n");

  const auto state = StateFile::open(directory.path(), 3);

  ASSERT_FALSE(state);
  EXPECT_NE(state.error().observed.find("18446744073709551615"), std::string::npos);
}

TEST(StateFile, NamesAMissingDirectoryAndTheRemedy) {
  const auto state = StateFile::open("/nonexistent/phalanx", 3);

  ASSERT_FALSE(state);
  EXPECT_NE(state.error().text().find("ENOENT"), std::string::npos);
  EXPECT_NE(state.error().remedy.find("node.state_directory"), std::string::npos);
}

TEST(StateFile, KeepsTheOldReserveWhenTheDiskIsFull) {
  const TemporaryDirectory directory;
  if (mount("none", directory.path().c_str(), "tmpfs", 0, "size=8k") != 0) {
    GTEST_SKIP() << "needs the right to mount";
  }
  {
    auto state = StateFile::open(directory.path(), 3);
    EXPECT_TRUE(state);
    overwrite(directory.path() + "/filler", std::string(4096, 'x'));  // The page that was left.

    const auto refused = state->reserve(3 * StateFile::kBlock);

    const Error error = refused ? Error{} : refused.error();
    EXPECT_NE(error.text().find("ENOSPC"), std::string::npos);
    EXPECT_NE(error.remedy.find("free some space"), std::string::npos);
    EXPECT_EQ(state->reserved(), 2 * StateFile::kBlock);
    EXPECT_FALSE(std::filesystem::exists(state->path() + ".new"));
  }
  EXPECT_EQ(umount(directory.path().c_str()), 0);
}

}  // namespace
}  // namespace phalanx::controlplane

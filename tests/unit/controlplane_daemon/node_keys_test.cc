#include "controlplane/daemon/node_keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/unit/controlplane_daemon/temporary_directory.h"

namespace phalanx::controlplane {
namespace {

using Kind = security::Rotation::Answer::Kind;
using security::KeyPhase;

wire::ClusterKey cluster_key(std::uint32_t id) {
  wire::ClusterKey key = wire::insecure_cluster_key("key " + std::to_string(id));
  key.id = id;
  return key;
}

class NodeKeysTest : public testing::Test {
 protected:
  NodeKeysTest() { write(file_, cluster_key(1)); }

  static void write(const std::string& path, const wire::ClusterKey& key) {
    std::ofstream(path) << wire::format_cluster_key(key);
    chmod(path.c_str(), 0600);
  }
  void write_next(std::uint32_t id) { write(wire::next_key_path(file_), cluster_key(id)); }

  /// A control plane that starts with what the files hold.
  NodeKeys start() {
    auto loaded = wire::load_key_ring(file_);
    return {file_,
            std::move(loaded->ring),
            {},
            {.changed = [this](const auto&) { ++changes_; },
             .go_by = [] {},
             .view_key_id = [this] { return view_key_id_; },
             .data_plane_up = [this] { return plane_up_; },
             .wall_s = [this] { return ++seconds_; }}};
  }
  static void plane_holds(NodeKeys& keys, std::initializer_list<std::uint32_t> ids) {
    std::string text;
    for (const std::uint32_t id : ids) text += wire::fingerprint(cluster_key(id));
    keys.on_data_plane_keys(true, text);
  }

  TemporaryDirectory directory_;
  std::string file_ = directory_.path() + "/cluster.key";
  std::uint32_t view_key_id_ = 1;
  bool plane_up_ = true;
  int changes_ = 0;
  std::uint64_t seconds_ = 100;
  security::KeyName next_ = name_of(cluster_key(2));
};

TEST_F(NodeKeysTest, GoThroughAllPhasesAndLeaveOneKey) {
  NodeKeys keys = start();
  EXPECT_EQ(keys.state().phase(), KeyPhase::OneKey);
  write_next(2);
  EXPECT_EQ(keys.state().phase(), KeyPhase::Ready);
  EXPECT_EQ(keys.state().next, next_);
  EXPECT_EQ(changes_, 0) << "a file that lies there changes nothing";

  EXPECT_EQ(keys.hold(next_).kind, Kind::NotYet) << "the data plane has not said so";
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(keys.go_over(next_).kind, Kind::NotYet);
  plane_holds(keys, {1, 2});
  EXPECT_EQ(keys.hold(next_).kind, Kind::Yes);
  EXPECT_EQ(keys.state().phase(), KeyPhase::Both);
  EXPECT_EQ(keys.go_over(next_).kind, Kind::Yes);
  EXPECT_EQ(keys.state().phase(), KeyPhase::GoesOver);

  EXPECT_TRUE(keys.finish()) << "there is nothing to finish yet";
  EXPECT_EQ(keys.state().phase(), KeyPhase::GoesOver);
  view_key_id_ = 2;
  EXPECT_TRUE(keys.finish());
  EXPECT_EQ(keys.state().phase(), KeyPhase::OneKey);
  EXPECT_EQ(keys.state().current, next_);
  EXPECT_EQ(changes_, 2);
  EXPECT_EQ(wire::load_cluster_key(file_)->id, 2U);
  EXPECT_NE(access(wire::next_key_path(file_).c_str(), F_OK), 0);
  EXPECT_EQ(keys.hold(next_).kind, Kind::Yes) << "a leader may ask again";
  EXPECT_EQ(keys.go_over(next_).kind, Kind::Yes);
}

TEST_F(NodeKeysTest, AreBothHeldByWhoStartsWithTwoFiles) {
  write_next(2);
  NodeKeys keys = start();
  plane_holds(keys, {1, 2});

  EXPECT_TRUE(keys.held());
  EXPECT_FALSE(keys.goes_over());
  view_key_id_ = 2;  // The others went over while it was away.
  EXPECT_EQ(keys.state().phase(), KeyPhase::Finishing);
  EXPECT_TRUE(keys.finish());
  EXPECT_EQ(keys.state().current, next_);
}

TEST_F(NodeKeysTest, SayWhyTheyCannotGoOn) {
  NodeKeys keys = start();
  EXPECT_EQ(keys.hold(next_).why, "has no next key " + security::to_string(next_));
  write_next(3);
  EXPECT_EQ(keys.hold(next_).kind, Kind::No) << "another one than was asked for";
  write(wire::next_key_path(file_), cluster_key(1));
  EXPECT_NE(keys.state().trouble.find("is not above 1"), std::string::npos);
  write_next(2);
  chmod(wire::next_key_path(file_).c_str(), 0644);
  EXPECT_NE(keys.state().trouble.find("0644"), std::string::npos);
  EXPECT_EQ(keys.hold(next_).kind, Kind::No);

  chmod(wire::next_key_path(file_).c_str(), 0600);
  EXPECT_EQ(keys.hold(next_).kind, Kind::NotYet);
  keys.on_data_plane_keys(false, "it cannot read it");
  EXPECT_EQ(keys.hold(next_).why, "its data plane: it cannot read it");
  EXPECT_EQ(keys.hold(next_).kind, Kind::NotYet) << "it is asked once more";
}

TEST_F(NodeKeysTest, ThatWereReplacedByHandAreNotTaken) {
  NodeKeys keys = start();
  write(file_, cluster_key(7));
  write_next(8);

  EXPECT_NE(keys.state().trouble.find("another key than this node uses"), std::string::npos);
  EXPECT_EQ(keys.hold(name_of(cluster_key(8))).kind, Kind::No);
}

// Nodes of one host may share a file: the first to finish puts the next key in its place.
TEST_F(NodeKeysTest, MayBeInAFileThatOthersHaveFinishedWith) {
  write_next(2);
  NodeKeys keys = start();
  plane_holds(keys, {1, 2});
  ASSERT_TRUE(wire::promote_next_key(file_, next_.fingerprint));

  EXPECT_EQ(keys.state().next, next_);
  EXPECT_TRUE(keys.state().trouble.empty()) << keys.state().trouble;
  EXPECT_EQ(keys.go_over(next_).kind, Kind::Yes);
  view_key_id_ = 2;
  EXPECT_TRUE(keys.finish());
}

TEST_F(NodeKeysTest, TryAgainToGiveUpTheOldOne) {
  write_next(2);
  NodeKeys keys = start();
  plane_holds(keys, {1, 2});
  ASSERT_EQ(keys.go_over(next_).kind, Kind::Yes);
  view_key_id_ = 2;
  write_next(3);

  EXPECT_FALSE(keys.finish());
  EXPECT_NE(keys.state().trouble.find("another key by now"), std::string::npos);
  EXPECT_EQ(keys.state().phase(), KeyPhase::Finishing);
  write_next(2);
  EXPECT_TRUE(keys.finish());
  EXPECT_TRUE(keys.state().trouble.empty());
}

TEST_F(NodeKeysTest, OfAnInsecureClusterAreNone) {
  NodeKeys keys({}, {wire::insecure_cluster_key("c"), std::nullopt}, {},
                {.changed = [](const auto&) {},
                 .go_by = [] {},
                 .view_key_id = [] { return 1U; },
                 .data_plane_up = [] { return true; },
                 .wall_s = [] { return std::uint64_t{1}; }});

  EXPECT_EQ(keys.state().trouble, "an insecure cluster has no key to rotate");
  EXPECT_EQ(keys.hold(next_).kind, Kind::No);
}

}  // namespace
}  // namespace phalanx::controlplane

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/transport_dpdk/nodes.h"
#include "tests/unit/transport_parts/three_nodes.h"

namespace phalanx::transport::dpdk {
namespace {

class Memif : public testing::Test {
 protected:
  void SetUp() override {
    for (NodeId node = 1; node <= 3; ++node) {
      three_.nodes.push_back(open_memif_node(directory_.path(), node, 3));
      ASSERT_NE(three_.nodes.back(), nullptr);
    }
    ASSERT_TRUE(turn_until([this] { return three_.all_hear_all(); })) << "a link did not come up";
  }

  TemporaryDirectory directory_;
  ThreeNodes three_;
};

TEST_F(Memif, BringsAFrameToThePeerNamed) { brings_a_frame_to_the_peer_named(three_); }
TEST_F(Memif, BringsAFrameForMembersToMembers) { brings_a_frame_for_members_to_members(three_); }
TEST_F(Memif, CarriesTheLongestFrameInOnePiece) { carries_the_longest_frame(three_); }
TEST_F(Memif, DropsWhatDoesNotFitTheRingAndGoesOn) { drops_what_does_not_fit(three_); }
TEST_F(Memif, TakesBackFramesThatWereLentAndNotSent) { takes_back_what_was_lent(three_); }

TEST_F(Memif, RefusesASecondNodeOfTheSameId) {
  const auto second = open(memif_config(directory_.path(), 2, 3));

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ExitCode::Usage);
  EXPECT_NE(second.error().attempted.find("2.sock"), std::string::npos);
  EXPECT_NE(second.error().remedy.find("node.id"), std::string::npos);
}

TEST_F(Memif, LeavesNothingBehind) {
  three_.nodes.clear();

  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/memif"));
}

// Within a process the driver knows a socket by its name only, and takes it for a listener when the
// first port was one: so node 3, which listens for nobody. The others' return is tested by kills.
TEST_F(Memif, LinksComeBackWhenANodeComesBack) {
  for (int round = 0; round < 3; ++round) {
    three_.nodes.pop_back();
    three_.nodes.push_back(open_memif_node(directory_.path(), 3, 3));
    ASSERT_TRUE(turn_until([this] { return three_.all_hear_all(); })) << round;
  }
}

}  // namespace
}  // namespace phalanx::transport::dpdk

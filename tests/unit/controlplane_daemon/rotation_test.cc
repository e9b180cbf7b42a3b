#include "controlplane/security/rotation.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>
#include <string>

namespace phalanx::security {
namespace {

using wire::OrderWord;
using Answer = Rotation::Answer;

const KeyName kOld{1, "0123456789abcdef"};
const KeyName kNew{2, "fedcba9876543210"};
const KeyName kOther{2, "ffffffffffffffff"};

/// Three nodes that all have the next key in their files, and a network that may lose words.
class RotationTest : public testing::Test {
 protected:
  struct Node {
    KeyState state{.current = kOld, .next = kNew, .view_key_id = 1, .since = 5};
    int slow_holds = 2;  ///< So often it says "not yet".
    bool up = true;
    bool stuck = false;  ///< Goes over, but never gives up the old key.
    std::unique_ptr<Rotation> rotation;
  };
  struct Word {
    NodeId from;
    OrderWord word;
  };

  RotationTest() {
    for (NodeId id = 1; id <= 3; ++id) {
      Node& node = nodes_[id];
      node.rotation = std::make_unique<Rotation>(
          id, Rotation::Hooks{.state = [&node] { return node.state; },
                              .hold = [&node](const KeyName& next) -> Answer {
                                if (node.state.current == next) return {};
                                if (node.slow_holds-- > 0) {
                                  return {.kind = Answer::Kind::NotYet, .why = {}};
                                }
                                node.state.held = true;
                                return {};
                              },
                              .go_over = [&node](const KeyName&) -> Answer {
                                node.state.goes_over = true;
                                return {};
                              },
                              .device_follows = [this] { return device_; },
                              .send =
                                  [this, id](const OrderWord& word) {
                                    words_.push_back({id, word});
                                    return true;
                                  },
                              .wake = [](TimeNs) {},
                              .draw = [this] { return static_cast<std::uint32_t>(dice_()); },
                              .name_of = [](NodeId of) { return "n" + std::to_string(of); }});
    }
  }

  /// What the membership would do: a view under the next key once all that run go over.
  void make_view() {
    for (auto& [id, node] : nodes_) {
      if (node.up && !node.state.goes_over) return;
    }
    for (auto& [id, node] : nodes_) {
      if (!node.up) continue;
      node.state.view_key_id = 2;
      if (node.stuck) continue;
      node.state = {.current = kNew, .next = {}, .view_key_id = 2, .since = 9};
    }
  }

  void run_for(TimeNs span) {
    for (const TimeNs until = now_ + span; now_ < until; now_ += 5 * kMillisecond) {
      for (std::deque<Word> words = std::exchange(words_, {}); !words.empty(); words.pop_front()) {
        const auto& [from, word] = words.front();
        if (!nodes_[word.to].up || !nodes_[from].up || dice_() % 100 < loss_percent_) continue;
        nodes_[word.to].rotation->on_order(from, word, now_);
      }
      for (auto& [id, node] : nodes_) {
        if (node.up) node.rotation->on_time(now_);
      }
      if (makes_views_) make_view();
    }
  }

  /// The refusal, or "" when it began.
  std::string rotate(NodeId at, bool force = false) {
    std::vector<NodeId> others;
    for (NodeId id = 1; id <= 3; ++id) {
      if (id != at) others.push_back(id);
    }
    std::string text = "no word";
    nodes_[at].rotation->rotate(others, force, now_, [&](const std::optional<Error>& refused) {
      text = refused ? refused->observed : "";
    });
    run_for(3 * kSecond);
    return text;
  }
  const Rotation::Progress& progress(NodeId at) { return *nodes_[at].rotation->progress(); }
  bool all_have(const KeyName& key) {
    for (auto& [id, node] : nodes_) {
      if (node.up && (node.state.current != key || node.state.next.id != 0)) return false;
    }
    return true;
  }

  std::map<NodeId, Node> nodes_;
  std::deque<Word> words_;
  std::mt19937 dice_{7};
  unsigned loss_percent_ = 0;
  bool makes_views_ = true;
  bool device_ = true;
  TimeNs now_ = kSecond;
};

TEST_F(RotationTest, TakesAllNodesOverAndSaysWhenItIsDone) {
  EXPECT_EQ(rotate(2), "");
  run_for(2 * kSecond);

  EXPECT_TRUE(all_have(kNew));
  EXPECT_FALSE(progress(2).running);
  EXPECT_FALSE(progress(2).error);
}

TEST_F(RotationTest, NeedsNoWordToArriveAtTheFirstTime) {
  loss_percent_ = 60;

  EXPECT_EQ(rotate(1), "");
  run_for(5 * kSecond);

  EXPECT_TRUE(all_have(kNew));
  EXPECT_FALSE(progress(1).running);
}

TEST_F(RotationTest, IsRefusedWithAllNamesBeforeAnythingChanges) {
  nodes_[1].state.next = {};
  nodes_[2].up = false;
  EXPECT_EQ(rotate(3), "n1: has the old key only; n2: does not answer");
  nodes_[1].state.next = kOther;
  EXPECT_EQ(rotate(3),
            "n1: has another next key, 2 ffffffffffffffff, not 2 fedcba9876543210; "
            "n2: does not answer");
  nodes_[1].state.trouble = "its file is empty";
  EXPECT_EQ(rotate(3), "n1: its file is empty; n2: does not answer");
  nodes_[1].state.current = kOther;
  EXPECT_EQ(rotate(3),
            "n1: uses key 2 ffffffffffffffff, not 1 0123456789abcdef; "
            "n2: does not answer");
  nodes_[3].state.next = {};
  EXPECT_EQ(rotate(3), "n3 has no next key");

  for (auto& [id, node] : nodes_) EXPECT_FALSE(node.state.held || node.state.goes_over) << id;
}

TEST_F(RotationTest, IsForcedWithoutThoseWhoDoNotAnswerAndNobodyElse) {
  nodes_[2].up = false;
  EXPECT_EQ(rotate(1, /*force=*/true), "");
  EXPECT_TRUE(all_have(kNew));
  EXPECT_EQ(progress(1).without, std::vector<NodeId>{2});

  nodes_[2].up = true;
  for (NodeId id : {1U, 3U}) nodes_[id].state = {.current = kNew, .next = {3, kOld.fingerprint}};
  EXPECT_EQ(rotate(1, /*force=*/true), "n2: uses key 1 0123456789abcdef, not 2 fedcba9876543210");
}

TEST_F(RotationTest, IsRefusedWhileAnotherOneGoesOn) {
  makes_views_ = false;
  ASSERT_EQ(rotate(1), "");

  EXPECT_EQ(rotate(1), "a rotation that this node leads is under way");
  EXPECT_EQ(rotate(2), "a rotation that n1 leads is under way");

  makes_views_ = true;
  run_for(3 * kSecond);
  EXPECT_TRUE(all_have(kNew));
}

TEST_F(RotationTest, IsTakenUpByAnotherNodeWhenItsLeaderDied) {
  makes_views_ = false;
  ASSERT_EQ(rotate(1), "");
  nodes_[1].up = false;
  run_for(5 * kSecond);
  nodes_[1].up = true;
  nodes_[1].rotation.reset();  // Its control plane is a new one, that knows nothing.
  nodes_[1].rotation = std::make_unique<Rotation>(
      1, Rotation::Hooks{.state = [this] { return nodes_[1].state; },
                         .hold = [](const KeyName&) { return Answer{}; },
                         .go_over = [](const KeyName&) { return Answer{}; },
                         .device_follows = [] { return true; },
                         .send =
                             [this](const OrderWord& word) {
                               words_.push_back({1, word});
                               return true;
                             },
                         .wake = [](TimeNs) {},
                         .draw = [] { return 9U; },
                         .name_of = [](NodeId) { return "n1"; }});
  makes_views_ = true;

  EXPECT_EQ(rotate(2), "");
  EXPECT_TRUE(all_have(kNew));
}

TEST_F(RotationTest, WaitsForTheQuorumDeviceBeforeItDecides) {
  device_ = false;
  EXPECT_EQ(rotate(1), "");
  run_for(Rotation::kHoldPatience);

  EXPECT_FALSE(progress(1).running);
  EXPECT_NE(progress(1).error->observed.find("quorum device"), std::string::npos);
  for (auto& [id, node] : nodes_) EXPECT_FALSE(node.state.goes_over) << id;
}

TEST_F(RotationTest, NamesWhoDoesNotFinish) {
  nodes_[3].stuck = true;
  nodes_[3].state.trouble.clear();
  EXPECT_EQ(rotate(1), "");
  nodes_[3].state.trouble = "its directory is read-only";
  run_for(Rotation::kWatch + kSecond);

  ASSERT_TRUE(progress(1).error);
  EXPECT_EQ(progress(1).error->observed, "n3: finishing, its directory is read-only");
}

TEST_F(RotationTest, TellsTheStateOfAllWhoAnswer) {
  nodes_[3].up = false;
  Rotation::States told;
  for (int i = 0; i < 2; ++i) {
    nodes_[1].rotation->ask({2, 3}, now_, [&](const Rotation::States& states) { told = states; });
  }
  run_for(3 * kSecond);

  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told.at(2), nodes_[2].state);
}

TEST(KeyState, ComesBackAsItWasSaid) {
  const KeyState state{.current = kOld,
                       .next = kNew,
                       .held = true,
                       .goes_over = true,
                       .view_key_id = 1,
                       .led_by = 3,
                       .since = 1'700'000'000,
                       .trouble = "some words"};
  EXPECT_EQ(decode_key_state(encode(state)), state);
  EXPECT_EQ(decode_key_state(encode({.current = kOld})), (KeyState{.current = kOld}));
}

TEST(KeyState, IsNothingElse) {
  const std::string good = encode({.current = kOld, .next = kNew});
  for (std::size_t length = 0; length + 1 < good.size(); ++length) {
    EXPECT_FALSE(decode_key_state(good.substr(0, length))) << length;
  }
  for (const char* bad :
       {"0 - 0 - 0 0 0 0 0 ", "1 0123456789abcdeF 0 - 0 0 0 0 0 ",
        "1 0123456789abcdef 0 x 0 0 0 0 0 ", "1 0123456789abcdef 0 - 2 0 0 0 0 ",
        "1 0123456789abcdef 0 - 0 0 0 0 -1 ", "99999999999 0123456789abcdef 0 - 0 0 0 0 0 "}) {
    EXPECT_FALSE(decode_key_state(bad)) << bad;
  }
}

TEST(KeyState, SaysHowFarItIs) {
  KeyState state{.current = kOld, .view_key_id = 1};
  EXPECT_EQ(state.phase(), KeyPhase::OneKey);
  state.next = kNew;
  EXPECT_EQ(state.phase(), KeyPhase::Ready);
  state.held = true;
  EXPECT_EQ(state.phase(), KeyPhase::Both);
  state.goes_over = true;
  EXPECT_EQ(state.phase(), KeyPhase::GoesOver);
  state.view_key_id = 2;
  EXPECT_EQ(state.phase(), KeyPhase::Finishing);
}

}  // namespace
}  // namespace phalanx::security

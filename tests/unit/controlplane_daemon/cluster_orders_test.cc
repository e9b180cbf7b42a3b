#include "controlplane/daemon/cluster_orders.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>
#include <string>

#include "config/load.h"

namespace phalanx::controlplane {
namespace {

using wire::OrderWord;

config::Config config_of(const std::string& tables) {
  std::string text = "[node]\nid = 1\n" + tables;
  for (const char* id : {"1", "2", "3"}) {
    text +=
        std::string("[[cluster.nodes]]\nid = ") + id + "\naddress = \"10.0.0." + id + ":5405\"\n";
  }
  return config::parse(text, "t.toml", {.instance = "", .check_key_file = false}).value();
}

constexpr const char* kLoud = "[log]\nlevel = \"debug\"\n";

/// Three nodes that all have a new file, and a network between them that may lose words.
class ClusterOrdersTest : public testing::Test {
 protected:
  struct Node {
    config::Config running = config_of("");
    std::string file = kLoud;  ///< "!": it cannot be read.
    int applied = 0;
    std::string removed;
    std::unique_ptr<ClusterOrders> orders;
  };
  struct Word {
    NodeId from;
    OrderWord word;
  };

  ClusterOrdersTest() {
    for (NodeId id = 1; id <= 3; ++id) {
      Node& node = nodes_[id];
      node.orders = std::make_unique<ClusterOrders>(
          id, ClusterOrders::Hooks{
                  .read = [&node]() -> Expected<config::Config, std::string> {
                    if (node.file == "!") return fail(std::string("unknown key"));
                    return config_of(node.file);
                  },
                  .running = [&node]() -> const config::Config& { return node.running; },
                  .apply =
                      [&node](const config::Config& wanted) {
                        node.running = wanted;
                        ++node.applied;
                      },
                  .send =
                      [this, id](const OrderWord& word) {
                        words_.push_back({id, word});
                        return true;
                      },
                  .wake = [](TimeNs) {},
                  .removed = [&node](NodeId, const std::string& why) { node.removed = why; },
                  .draw = [this] { return ++drawn_; }});
    }
  }

  /// Delivers what is under way, and lets time pass until all is said.
  void run(TimeNs until = 10 * kSecond) {
    for (; now_ < until; now_ += ClusterOrders::kRepeat) {
      while (!words_.empty()) {
        const Word word = words_.front();
        words_.pop_front();
        if (!loses_ || !loses_(word))
          nodes_[word.word.to].orders->on_order(word.from, word.word, now_);
      }
      for (auto& [id, node] : nodes_) node.orders->on_time(now_);
    }
  }
  ClusterOrders::Done take() {
    return [this](const ClusterOrders::Outcome& outcome) {
      ++done_;
      outcome_ = outcome;
    };
  }
  int applied() { return nodes_[1].applied + nodes_[2].applied + nodes_[3].applied; }

  std::map<NodeId, Node> nodes_;
  std::deque<Word> words_;
  std::function<bool(const Word&)> loses_;
  std::uint32_t drawn_ = 0;
  TimeNs now_ = kSecond;
  int done_ = 0;
  ClusterOrders::Outcome outcome_;
};

TEST_F(ClusterOrdersTest, AllNodesReloadOnce) {
  nodes_[1].orders->reload(false, {2, 3}, now_, take());
  run();

  EXPECT_EQ(done_, 1);
  EXPECT_FALSE(outcome_.error);
  for (auto& [id, node] : nodes_) EXPECT_EQ(node.applied, 1) << id;
  EXPECT_EQ(nodes_[3].running.log_level, config::LogLevel::Debug);
  EXPECT_EQ(outcome_.answers[2].text, "live: log.level");
}

TEST_F(ClusterOrdersTest, ADryRunChangesNothingAndSaysWhatWould) {
  for (auto& [id, node] : nodes_) node.file = "[lane]\nlog = \"32MiB\"\n" + std::string(kLoud);

  nodes_[1].orders->reload(true, {2, 3}, now_, take());
  run();

  EXPECT_FALSE(outcome_.error);
  EXPECT_EQ(applied(), 0);
  EXPECT_EQ(outcome_.answers[3].text, "live: log.level; restart: lane.log");
}

TEST_F(ClusterOrdersTest, OneBadFileRefusesItForAllAndIsNamed) {
  nodes_[3].file = "!";

  nodes_[1].orders->reload(false, {2, 3}, now_, take());
  run();

  ASSERT_TRUE(outcome_.error);
  EXPECT_EQ(outcome_.error->observed, "n3: unknown key. ");
  EXPECT_EQ(applied(), 0);
}

TEST_F(ClusterOrdersTest, ItsOwnBadFileIsToldWithoutAskingAnybody) {
  nodes_[1].file = "!";

  nodes_[1].orders->reload(false, {2, 3}, now_, take());

  ASSERT_TRUE(outcome_.error);
  EXPECT_TRUE(words_.empty());
}

// Nodes whose cluster parts differ would keep each other out after the next restart.
TEST_F(ClusterOrdersTest, AnotherClusterPartOnOneNodeRefusesIt) {
  nodes_[2].file = "[lane]\nlog = \"32MiB\"\n" + std::string(kLoud);

  nodes_[1].orders->reload(false, {2, 3}, now_, take());
  run();

  ASSERT_TRUE(outcome_.error);
  EXPECT_NE(outcome_.error->observed.find("n2: what must be equal"), std::string::npos);
  EXPECT_EQ(applied(), 0);
}

TEST_F(ClusterOrdersTest, ANodeThatDoesNotAnswerRefusesIt) {
  loses_ = [](const Word& word) { return word.from == 2; };

  nodes_[1].orders->reload(false, {2, 3}, now_, take());
  run();

  ASSERT_TRUE(outcome_.error);
  EXPECT_EQ(outcome_.error->observed, "n2: does not answer. ");
  EXPECT_EQ(applied(), 0);
}

TEST_F(ClusterOrdersTest, LostWordsAreSaidAgainAndDoneOnce) {
  std::mt19937 random(1);
  loses_ = [&random](const Word&) { return random() % 3 != 0; };

  nodes_[1].orders->reload(false, {2, 3}, now_, take());
  run();

  EXPECT_FALSE(outcome_.error) << outcome_.error->observed;
  for (auto& [id, node] : nodes_) EXPECT_EQ(node.applied, 1) << id;
}

TEST_F(ClusterOrdersTest, OfTwoAtOnceNoNodeTakesBoth) {
  int finished = 0;
  int refused = 0;
  const auto count = [&](const ClusterOrders::Outcome& outcome) {
    ++finished;
    if (outcome.error) ++refused;
  };

  nodes_[1].orders->reload(false, {2, 3}, now_, count);
  nodes_[2].orders->reload(false, {1, 3}, now_, count);
  run();

  EXPECT_EQ(finished, 2);
  EXPECT_GE(refused, 1);
  EXPECT_TRUE(applied() == 0 || applied() == 3) << applied();
}

TEST_F(ClusterOrdersTest, NothingIsAppliedThatWasNotChecked) {
  nodes_[2].orders->on_order(
      1, {.kind = OrderWord::Kind::Apply, .dry = false, .number = 9, .to = 2, .text = {}}, now_);

  EXPECT_EQ(applied(), 0);
  ASSERT_EQ(words_.size(), 1u);
  EXPECT_EQ(words_.front().word.kind, OrderWord::Kind::No);
}

// Another node's check came in between, and the first one's answer was lost.
TEST_F(ClusterOrdersTest, WhatWasAppliedIsSaidAgainWhateverCameLater) {
  ClusterOrders& node = *nodes_[2].orders;
  const auto said = [&] { return words_.back().word.kind; };
  node.on_order(1, {.kind = OrderWord::Kind::Check, .number = 9, .to = 2, .text = {}}, now_);
  ASSERT_EQ(said(), OrderWord::Kind::Yes) << words_.back().word.text;
  node.on_order(1, {.kind = OrderWord::Kind::Apply, .number = 9, .to = 2, .text = {}}, now_);
  node.on_order(3, {.kind = OrderWord::Kind::Check, .number = 5, .to = 2, .text = {}}, now_);

  node.on_order(1, {.kind = OrderWord::Kind::Apply, .number = 9, .to = 2, .text = {}}, now_);

  EXPECT_EQ(said(), OrderWord::Kind::Yes) << words_.back().word.text;
  EXPECT_EQ(nodes_[2].applied, 1);
}

TEST_F(ClusterOrdersTest, ARemovedNodeIsToldWhy) {
  nodes_[1].orders->remove(3, "its disk is full", now_, take());
  run();

  EXPECT_FALSE(outcome_.error);
  EXPECT_EQ(nodes_[3].removed, "its disk is full");
}

TEST_F(ClusterOrdersTest, ARemovalThatNobodyAnswersIsATimeOut) {
  loses_ = [](const Word&) { return true; };

  nodes_[1].orders->remove(3, "gone", now_, take());
  run();

  ASSERT_TRUE(outcome_.error);
  EXPECT_EQ(outcome_.error->code, ExitCode::TimeOut);
}

}  // namespace
}  // namespace phalanx::controlplane

// Attempts that overlap, fail half way and are installed late, nodes that restart: never are two
// views that share no node quorate at the same time.
#include <gtest/gtest.h>

#include <optional>

#include "tests/unit/quorum/cluster.h"
#include "transport/sim/random.h"

namespace phalanx::quorum {
namespace {

using testing::equal_votes;
using testing::member;

struct Attempt {
  wire::Plan plan;
  NodeSet took = 0;  ///< Who has the plan. All of them: it may be installed.
};

struct Node {
  Quorum quorum;
  std::size_t promised = 0;  ///< Index of the attempt it answered last; 0 none.
  bool installed = false;    ///< That attempt.
};

class History {
 public:
  History(const QuorumConfig& config, std::uint64_t seed) : config_(config), random_(seed) {
    for (const Voter& voter : config_.nodes) nodes_.push_back({Quorum(config_, voter.node)});
  }

  void step() {
    now_ += random_.below(4) * kSecond;
    switch (random_.below(9)) {
      case 0:
        return start_attempt();
      case 1:
        if (random_.below(6) == 0) restart(random_.below(nodes_.size()));
        return;
      case 2:  // One attempt goes nearly all the way.
        for (std::size_t i = 0; i < nodes_.size(); ++i) take_plan(i);
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
          if (random_.below(4) != 0) install(i);
        }
        return;
      case 3:
        return order(nodes_[random_.below(nodes_.size())].quorum);
      default:
        return random_.below(2) == 0 ? take_plan(random_.below(nodes_.size()))
                                     : install(random_.below(nodes_.size()));
    }
  }

  /// Views that nobody has left yet and somebody has installed.
  [[nodiscard]] std::optional<std::string> violation() const {
    NodeSet quorate = 0;
    for (std::size_t a = 1; a < attempts_.size(); ++a) {
      if (!stands(a)) continue;
      const Outcome outcome = decide(config_, attempts_[a].plan.members, attempts_[a].plan.ballots);
      if (!outcome.quorate) continue;
      if (quorate != 0 && (quorate & outcome.present) == 0) {
        return "views " + std::to_string(quorate) + " and " + std::to_string(outcome.present);
      }
      quorate = outcome.present;
      ++quorate_views_;
    }
    return std::nullopt;
  }
  [[nodiscard]] std::uint64_t quorate_views() const { return quorate_views_; }
  [[nodiscard]] std::uint64_t orders() const { return orders_; }

 private:
  [[nodiscard]] bool stands(std::size_t a) const {
    bool installed = false;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if ((set_of(a) >> i & 1) == 0) continue;
      if (nodes_[i].promised != a) return false;
      installed = installed || nodes_[i].installed;
    }
    return installed;
  }
  [[nodiscard]] NodeSet set_of(std::size_t a) const {
    NodeSet set = 0;
    for (const Member& m : attempts_[a].plan.members) set |= NodeSet{1} << (m.node - 1);
    return set;
  }

  void start_attempt() {
    const std::size_t a = attempts_.size();
    Attempt attempt{.plan = {.attempt = {a, 1, {}}}};
    // Often all, so that nodes that forgot come to vote again.
    const NodeSet set =
        random_.below(4) == 0 ? everybody(config_) : random_.below(1u << nodes_.size());
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if ((set >> i & 1) == 0) continue;
      nodes_[i].promised = a;
      nodes_[i].installed = false;
      attempt.plan.members.push_back(member(config_.nodes[i].node));
      attempt.plan.ballots.push_back(nodes_[i].quorum.ballot(now_));
    }
    attempts_.push_back(attempt);
  }

  void take_plan(std::size_t i) {
    if (nodes_[i].promised == 0 || nodes_[i].installed) return;
    Attempt& attempt = attempts_[nodes_[i].promised];
    nodes_[i].quorum.on_plan(attempt.plan);
    attempt.took |= NodeSet{1} << i;
  }

  void install(std::size_t i) {
    const std::size_t a = nodes_[i].promised;
    if (a == 0 || nodes_[i].installed || attempts_[a].took != set_of(a)) return;
    (void)nodes_[i].quorum.on_install(attempts_[a].plan, now_);
    nodes_[i].installed = true;
  }

  void order(Quorum& quorum) {
    using Kind = wire::Order::Kind;
    wire::Order order{.kind = random_.below(3) == 0 ? Kind::Expected : Kind::Votes,
                      .index = 0,
                      .number = static_cast<std::uint32_t>(random_.below(4))};
    if (order.kind == Kind::Votes) order.index = static_cast<std::uint8_t>(random_.below(5));
    if (order.kind == Kind::Expected) order.number += 3;
    if (quorum.propose(order).verdict == Verdict::Carried) ++orders_;
  }

  void restart(std::size_t i) { nodes_[i] = {Quorum(config_, config_.nodes[i].node)}; }

  QuorumConfig config_;
  transport::Random random_;
  std::vector<Node> nodes_;
  std::vector<Attempt> attempts_{Attempt{}};
  TimeNs now_ = kSecond;
  mutable std::uint64_t quorate_views_ = 0;
  std::uint64_t orders_ = 0;
};

void run(const QuorumConfig& config) {
  std::uint64_t quorate_views = 0;
  std::uint64_t orders = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    History history(config, seed);
    for (int step = 0; step < 1'500; ++step) {
      history.step();
      const auto violation = history.violation();
      ASSERT_FALSE(violation) << "seed " << seed << " step " << step << ": " << *violation;
    }
    quorate_views += history.quorate_views();
    orders += history.orders();
  }
  EXPECT_GT(quorate_views, 1000u);  // Or nothing was tested.
  EXPECT_EQ(orders > 100, !config.last_man_standing);
}

TEST(RandomHistories, NeverSplitAMajority) { run(equal_votes(5)); }

TEST(RandomHistories, NeverSplitWithATieBreaker) {
  QuorumConfig config = equal_votes(6);
  config.tie_breaker = TieBreaker::Highest;
  run(config);
}

TEST(RandomHistories, NeverSplitTheLastManStanding) {
  for (const NodeId nodes : {4u, 5u, 6u}) {
    QuorumConfig config = equal_votes(nodes);
    config.wait_for_all = config.last_man_standing = true;
    config.last_man_standing_window = 5 * kSecond;
    config.tie_breaker = TieBreaker::Lowest;
    run(config);
  }
}

}  // namespace
}  // namespace phalanx::quorum

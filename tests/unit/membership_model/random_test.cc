// Histories of random faults: every seed picks its own mix. MEMBERSHIP_SEED=n replays one,
// MEMBERSHIP_SEEDS=n runs as many.

#include <gtest/gtest.h>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/unit/membership_model/cluster.h"

namespace phalanx::membership::model {
namespace {

constexpr std::uint64_t kSeeds = 300;

struct FaultMix {
  unsigned crash, control, pause, link, heal;
};

void fault(Cluster& cluster, const FaultMix& mix) {
  Dice& dice = cluster.dice();
  const std::size_t i = dice.below(cluster.size());
  const std::size_t j = dice.below(cluster.size());
  if (dice.chance(mix.crash)) {
    if (cluster.up(i)) cluster.kill(i, dice.chance(70));
  } else if (dice.chance(50)) {
    if (!cluster.up(i)) cluster.boot(i);
  }
  if (dice.chance(mix.control) && cluster.up(j)) {
    cluster.kill_control_plane(j);
    if (dice.chance(80)) cluster.restart_control_plane(j);
  }
  if (dice.chance(mix.pause)) cluster.pause(i, dice.below(150 * kMillisecond));
  if (dice.chance(mix.link) && i != j) {
    cluster.set_link(i, j, false);
    if (dice.chance(60)) cluster.set_link(j, i, false);
  }
  if (dice.chance(mix.link / 3)) {  // A clean cut.
    for (std::size_t a = 0; a < cluster.size(); ++a) {
      for (std::size_t b = 0; b < cluster.size(); ++b) {
        if ((a < i) != (b < i)) cluster.set_link(a, b, false);
      }
    }
  }
  if (dice.chance(mix.heal)) {
    for (std::size_t a = 0; a < cluster.size(); ++a) {
      for (std::size_t b = 0; b < cluster.size(); ++b) cluster.set_link(a, b, true);
    }
  }
}

/// Cuts the cluster cleanly in two, all nodes up; each side must come to one view of its own.
void cut_in_two(Cluster& cluster, std::uint64_t seed) {
  const std::size_t border = 1 + cluster.dice().below(cluster.size() - 1);
  std::vector<std::size_t> sides[2];
  for (std::size_t a = 0; a < cluster.size(); ++a) {
    sides[a >= border].push_back(a);
    for (std::size_t b = 0; b < cluster.size(); ++b) {
      cluster.set_link(a, b, (a < border) == (b < border));
    }
  }
  const auto done = [&] { return cluster.one_view_of(sides[0]) && cluster.one_view_of(sides[1]); };
  if (cluster.run_until(done, 5 * kSecond) == kNever) {
    throw std::runtime_error("seed " + std::to_string(seed) + ": G8: no view a side, border " +
                             std::to_string(border) + " " + cluster.describe());
  }
}

void run_history(std::uint64_t seed) {
  Dice swarm(seed * 7919);
  ClusterOptions options{.nodes = 2 + swarm.below(4), .seed = seed};
  if (swarm.chance(5)) options.nodes = 8;
  options.vouching = swarm.chance(70);
  options.loss_percent = unsigned(swarm.chance(40) ? swarm.below(25) : 0);
  options.duplicate_percent = unsigned(swarm.chance(40) ? swarm.below(20) : 0);
  options.late_percent = unsigned(swarm.chance(40) ? swarm.below(10) : 0);
  const auto percent = [&](std::uint64_t most) {
    return unsigned(swarm.chance(50) ? swarm.below(most) : 0);
  };
  const FaultMix mix{percent(30), percent(20), percent(20), percent(40), percent(30)};
  Cluster cluster(options);
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (swarm.chance(90)) cluster.boot(i);
  }
  for (std::uint64_t k = 5 + swarm.below(20); k > 0; --k) {
    cluster.run_for(swarm.below(80 * kMillisecond));
    fault(cluster, mix);
  }

  cluster.heal();
  if (swarm.chance(30)) {
    cut_in_two(cluster, seed);
    cluster.heal();
  }
  cluster.set_loss(unsigned(swarm.below(5)));
  cluster.run_for(200 * kMillisecond);  // What was under way when the last fault ended comes out.
  const TimeNs took = cluster.run_until([&] { return cluster.one_view_of_all(); }, 5 * kSecond);
  if (took == kNever) {
    throw std::runtime_error("seed " + std::to_string(seed) + ": G8: no common view " +
                             cluster.describe());
  }
  cluster.set_loss(0);
  const std::size_t before = cluster.installs(0);
  cluster.run_for(300 * kMillisecond);
  if (cluster.installs(0) != before || !cluster.one_view_of_all()) {
    throw std::runtime_error("seed " + std::to_string(seed) + ": the common view does not last " +
                             cluster.describe());
  }
}

TEST(RandomHistory, KeepsTheViewGuaranteesAndConverges) {
  const char* chosen = std::getenv("MEMBERSHIP_SEED");
  const std::uint64_t first = chosen ? std::strtoull(chosen, nullptr, 10) : 1;
  const char* count = std::getenv("MEMBERSHIP_SEEDS");
  const std::uint64_t seeds = count ? std::strtoull(count, nullptr, 10) : kSeeds;
  const std::uint64_t last = chosen ? first : seeds;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    try {
      run_history(seed);
    } catch (const std::runtime_error& broken) {
      FAIL() << broken.what() << "\nreplay: MEMBERSHIP_SEED=" << seed;
    }
  }
}

// Who hears whom need not be transitive. Whatever it is, as long as it does not change the views
// come to rest and everybody has one.
TEST(RandomHistory, ComesToRestUnderAnyHearing) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Cluster cluster({.nodes = 2 + seed % 6, .seed = seed, .vouching = seed % 3 != 0});
    for (std::size_t i = 0; i < cluster.size(); ++i) cluster.boot(i);
    cluster.run_for(cluster.dice().below(200 * kMillisecond));
    const unsigned cut = unsigned(10 + cluster.dice().below(50));
    for (std::size_t a = 0; a < cluster.size(); ++a) {
      for (std::size_t b = 0; b < cluster.size(); ++b) {
        if (a != b && cluster.dice().chance(cut)) cluster.set_link(a, b, false);
      }
    }
    cluster.run_for(5 * kSecond);
    std::vector<std::size_t> before;
    for (std::size_t i = 0; i < cluster.size(); ++i) before.push_back(cluster.installs(i));

    cluster.run_for(2 * kSecond);

    for (std::size_t i = 0; i < cluster.size(); ++i) {
      EXPECT_EQ(cluster.installs(i), before[i]) << "seed " << seed << " " << cluster.describe();
      EXPECT_EQ(cluster.machine(i).state(), State::Operational) << "seed " << seed;
    }
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace phalanx::membership::model

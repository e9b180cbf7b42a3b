// Histories of random faults: every seed picks its own mix. Replay one with MEMBERSHIP_SEED=n.

#include <gtest/gtest.h>

#include <cstdlib>
#include <stdexcept>

#include "tests/unit/membership_model/cluster.h"

namespace phalanx::membership::model {
namespace {

constexpr std::uint64_t kSeeds = 1000;

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
  const std::uint64_t last = chosen ? first : kSeeds;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    try {
      run_history(seed);
    } catch (const std::runtime_error& broken) {
      FAIL() << broken.what() << "\nreplay: MEMBERSHIP_SEED=" << seed;
    }
  }
}

}  // namespace
}  // namespace phalanx::membership::model

#include "tests/sim/recipes.h"

#include <algorithm>
#include <array>

#include "tests/sim/draft.h"
#include "transport/sim/random.h"

namespace phalanx::sim {
namespace {

using transport::Random;

using Ingredient = void (*)(Draft&);

void calm(Draft&) {}
void lossy(Draft& d) {
  d.s.faults.drop_ppm = static_cast<std::uint32_t>(d.random.range(1'000, 200'000));
}
void duplicate(Draft& d) {
  d.s.faults.duplicate_ppm = static_cast<std::uint32_t>(d.random.range(10'000, 400'000));
}
void corrupt(Draft& d) {
  d.s.faults.corrupt_ppm = static_cast<std::uint32_t>(d.random.range(5'000, 150'000));
}
void reorder(Draft& d) {
  d.s.faults.reorder_ppm = static_cast<std::uint32_t>(d.random.range(50'000, 500'000));
  d.s.faults.reorder_delay = d.random.range(20, 2'000) * kMicrosecond;
}
void slow_links(Draft& d) {
  d.s.faults.delay = d.random.range(50, 3'000) * kMicrosecond;
  d.s.faults.jitter = d.random.range(1, 1'000) * kMicrosecond;
}

void one_way_cut(Draft& d) {
  for (std::uint64_t n = d.times(1, 3); n > 0; --n) {
    const TimeNs at = d.when();
    d.step({.at = at, .kind = Step::Kind::CutOneWay, .node = d.any(), .peer = d.any()});
    d.step({.at = at + d.random.range(5, 200) * kMillisecond, .kind = Step::Kind::HealLinks});
  }
}
/// A hears B, B hears C, A and C do not hear each other.
void triangle(Draft& d) {
  const TimeNs at = d.when();
  d.step({.at = at, .kind = Step::Kind::Cut, .node = d.any(), .peer = d.any()});
  d.step({.at = at + d.random.range(100, 300) * kMillisecond, .kind = Step::Kind::HealLinks});
}
/// Links that stop and go, one at a time, faster than any timer.
void swizzle_clog(Draft& d) {
  for (std::uint64_t n = d.times(5, 30); n > 0; --n) {
    d.step({.at = d.when(),
            .kind = d.random.percent(60)
                        ? (d.random.percent(50) ? Step::Kind::Cut : Step::Kind::CutOneWay)
                        : Step::Kind::HealLinks,
            .node = d.any(),
            .peer = d.any()});
  }
}
/// Copies of frames from long ago, of old views and of dead incarnations among them.
void ghosts(Draft& d) {
  d.s.faults.duplicate_ppm = static_cast<std::uint32_t>(d.random.range(20'000, 200'000));
  d.s.faults.reorder_delay = d.random.range(10, 400) * kMillisecond;
  crash_restart(d);
}
void overrun(Draft& d) {
  d.s.rx_ring_frames = static_cast<std::uint32_t>(d.random.range(4, 48));
  for (std::uint64_t n = d.times(1, 3); n > 0; --n) {
    d.step({.at = d.when(),
            .kind = Step::Kind::Stall,
            .node = d.any(),
            .span = d.random.range(1, 20) * kMillisecond});
  }
}
/// Logs, streams and rings that hold two records and no more.
void two_record_rings(Draft& d) {
  d.s.message_bytes_max = static_cast<std::uint32_t>(d.random.range(900, 1'400));
  d.s.frame_payload_bytes = static_cast<std::uint32_t>(8 * d.random.range(8, 60));
  d.s.submit_window_bytes = static_cast<std::uint32_t>(8 * d.random.range(16, 200));
  d.s.window_bytes = static_cast<std::uint32_t>(8 * d.random.range(64, 250));
  d.s.load.payload_bytes_max = d.s.message_bytes_max;
}
void bulk(Draft& d) {
  d.s.message_bytes_max = static_cast<std::uint32_t>(d.random.range(10'000, 60'000));
  d.s.load.bulk_percent = static_cast<std::uint32_t>(d.random.range(5, 30));
  d.s.load.records_per_node = 60;
}
/// Clients that go away while their large message waits for the bulk grant.
void impatient(Draft& d) {
  bulk(d);
  d.s.load.give_up_node = d.any();
  d.s.load.give_up_percent = static_cast<std::uint32_t>(d.random.range(5, 80));
  d.s.faults.reorder_ppm = static_cast<std::uint32_t>(d.random.below(300'000));
}
/// Long messages that are copied over many turns, while views change and clients go away.
void long_copies(Draft& d) {
  bulk(d);
  d.s.load.bulk_percent += 20;
  d.s.copy_bytes_max = static_cast<std::uint32_t>(d.random.range(64, 2'000));
  d.s.load.give_up_node = d.any();
  d.s.load.give_up_percent = static_cast<std::uint32_t>(d.random.below(10));
  for (std::uint64_t n = d.times(0, 4); n > 0; --n) {
    d.step({.at = d.when(), .kind = Step::Kind::Burst, .node = d.any(), .mask = 30});
  }
  if (d.random.percent(70)) crash_in_view_change(d);
  if (d.random.percent(30)) partition_merge(d);
  if (d.random.percent(30)) lossy(d);
}
void slow_client(Draft& d) {
  for (std::uint64_t n = d.times(1, 4); n > 0; --n) {
    d.step({.at = d.when(),
            .kind = Step::Kind::PauseReaders,
            .node = d.any(),
            .span = d.random.range(1, 300) * kMillisecond});
  }
}
/// One node sends far more than all others, so that the orderer has a reason to hand over.
void handover(Draft& d) {
  for (std::uint64_t n = d.times(2, 6); n > 0; --n) {
    d.step({.at = d.when(),
            .kind = Step::Kind::Burst,
            .node = d.any(),
            .mask = d.random.range(50, 300)});
  }
}
/// Readers that take nothing while view after view is installed.
void slow_client_in_view_changes(Draft& d) {
  const TimeNs at = d.when();
  const NodeId slow = d.any();
  const NodeId flapping_node = d.any();
  d.step({.at = at,
          .kind = Step::Kind::PauseReaders,
          .node = slow,
          .span = d.random.range(100, 400) * kMillisecond});
  TimeNs next = at;
  for (std::uint64_t n = d.times(2, 8); n > 0; --n) {
    const TimeNs span = d.random.range(1, 30) * kMillisecond;
    d.step({.at = next, .kind = Step::Kind::KillData, .node = flapping_node, .span = span});
    d.step(
        {.at = next, .kind = Step::Kind::Burst, .node = d.any(), .mask = d.random.range(10, 100)});
    next += span + d.random.range(10, 60) * kMillisecond;
  }
}
void clock_drift(Draft& d) {
  d.s.drift_ppm = static_cast<std::uint32_t>(d.random.range(100, 50'000));
}
void no_management(Draft& d) {
  if (d.random.percent(50)) {
    d.s.management = false;
  } else {
    d.step({.at = d.when(),
            .kind = Step::Kind::CutManagement,
            .span = d.random.range(10, 300) * kMillisecond});
  }
}
void slow_planes(Draft& d) { d.s.plane_delay = d.random.range(1, 20) * kMillisecond; }

/// Losses while members die: recoveries that take long, and others begin meanwhile.
void lossy_crashes(Draft& d) {
  d.s.faults.drop_ppm = static_cast<std::uint32_t>(d.random.range(20'000, 350'000));
  if (d.random.percent(30)) slow_planes(d);
  crash_restart(d);
  if (d.random.percent(60)) crash_in_view_change(d);
}
/// Production seals under copies of old frames, of dead incarnations and of frames in flight.
void sealed(Draft& d) {
  d.s.real_seals = true;
  ghosts(d);
  if (d.random.percent(50)) old_state_file(d);
  if (d.random.percent(50)) corrupt(d);
}
/// Somebody on the wire sends frames of their own, made from those of others.
void forged(Draft& d) {
  d.s.real_seals = d.random.percent(70);
  d.s.faults.forge_ppm = static_cast<std::uint32_t>(d.random.range(20'000, 300'000));
  d.s.faults.drop_ppm = static_cast<std::uint32_t>(d.random.below(100'000));
  d.s.faults.reorder_ppm = static_cast<std::uint32_t>(d.random.below(300'000));
  if (d.random.percent(40)) crash_restart(d);
}
/// Cuts that stay: every part must go on as the views that they allow.
void lasting_cuts(Draft& d) {
  d.s.settles = true;
  const TimeNs at = d.s.faulty_until - d.random.range(1, 200) * kMillisecond;
  if (d.random.percent(50)) {
    d.step({.at = at,
            .kind = Step::Kind::Partition,
            .mask = d.random.next() & ((std::uint64_t{1} << (d.s.nodes - 1)) * 2 - 1)});
  }
  for (std::uint64_t n = d.times(0, 4); n > 0; --n) {
    d.step({.at = at + d.random.below(kMillisecond),
            .kind = d.random.percent(50) ? Step::Kind::Cut : Step::Kind::CutOneWay,
            .node = d.any(),
            .peer = d.any()});
  }
  if (d.random.percent(50)) crash_restart(d);
}

struct Recipe {
  RecipeInfo info;
  Ingredient make;
};

constexpr std::array kRecipes{
    Recipe{{"calm", "no fault at all"}, calm},
    Recipe{{"lossy", "frames are lost, up to one in five"}, lossy},
    Recipe{{"duplicate", "frames arrive twice, the second time late"}, duplicate},
    Recipe{{"corrupt", "bits flip, frames are cut short"}, corrupt},
    Recipe{{"reorder", "frames overtake each other"}, reorder},
    Recipe{{"slow-links", "milliseconds on the wire"}, slow_links},
    Recipe{
        {"partition-merge", "parts of the cluster come apart and meet again, nested and repeated"},
        partition_merge},
    Recipe{{"one-way-cut", "a link is lost in one direction"}, one_way_cut},
    Recipe{{"triangle", "two nodes hear a third but not each other"}, triangle},
    Recipe{{"swizzle-clog", "links stop and go faster than any timer"}, swizzle_clog},
    Recipe{{"stall", "a node stops stepping, then runs on with old timers"}, stall},
    Recipe{{"stall-control", "a control plane stops stepping"}, stall_control},
    Recipe{{"crash-restart", "data planes and whole nodes die and come back"}, crash_restart},
    Recipe{{"crash-in-view-change",
            "more deaths at every step of a view change, often the representative's"},
           crash_in_view_change},
    Recipe{{"crash-control", "control planes die between two actions and are restored"},
           crash_control},
    Recipe{{"old-state-file", "nodes restart with a lost or an old state file"}, old_state_file},
    Recipe{{"leave", "nodes leave in order and come back"}, leave},
    Recipe{{"ghosts", "copies of frames from long ago, of old views and dead incarnations"},
           ghosts},
    Recipe{{"flapping", "one node dies again and again"}, flapping},
    Recipe{{"join-storm", "most nodes start in the same moment"}, join_storm},
    Recipe{{"overrun", "receive queues far smaller than the windows"}, overrun},
    Recipe{{"two-record-rings", "logs, streams and rings that hold two records"}, two_record_rings},
    Recipe{{"bulk", "messages far larger than the submit window among small ones"}, bulk},
    Recipe{{"impatient", "clients that go away while a large message waits for its grant"},
           impatient},
    Recipe{{"slow-client", "clients that take nothing for a while"}, slow_client},
    Recipe{{"slow-client-in-view-changes",
            "clients that take nothing while view after view is installed"},
           slow_client_in_view_changes},
    Recipe{{"handover", "bursts from single nodes, so that orderers hand over"}, handover},
    Recipe{{"clock-drift", "clocks that run fast and slow"}, clock_drift},
    Recipe{{"no-management", "no vouching and no obituaries"}, no_management},
    Recipe{{"slow-planes", "milliseconds between the two processes of a node"}, slow_planes},
    Recipe{{"link-down", "nodes that lose their own link and say so"}, link_down},
    Recipe{{"long-copies", "long messages that are copied over many turns"}, long_copies},
    Recipe{{"mute", "a node that speaks but does not answer"}, mute},
    Recipe{{"lossy-crashes", "frames are lost while members die, so that recoveries overlap"},
           lossy_crashes},
    Recipe{{"sealed", "production seals under copies of old frames and restarts"}, sealed},
    Recipe{{"forged", "frames that somebody without a key makes of others"}, forged},
    Recipe{{"lasting-cuts", "cuts that stay until every part has settled"}, lasting_cuts},
    Recipe{{"clock-jump", "clocks that go forward at once"}, clock_jump},
    Recipe{{"crash-at-actions", "data planes die at any boundary between two actions"},
           crash_at_actions},
    Recipe{{"crash-control-at-actions", "control planes die at any such boundary"},
           crash_control_at_actions},
    Recipe{{"representative-steps", "the representative dies in each step of a view change"},
           representative_steps},
    Recipe{{"many-nodes", "up to 64 nodes, a few of which die"}, many_nodes},
    Recipe{{"vote-orders", "votes are changed while views change"}, vote_orders},
    Recipe{{"rotate-keys", "the cluster key is rotated, once and again, while views change"},
           rotate_keys},
};
/// What swarm picks from: histories that found a bug once stay what they were.
constexpr std::size_t kSwarmRecipes = 30;
constexpr std::size_t kStormRecipes = kRecipes.size() - 3;  ///< Up to many-nodes.
constexpr RecipeInfo kSwarm{"swarm",
                            "random subsets of the first 30, with random sizes and timers"};
constexpr RecipeInfo kStorm{"storm", "the same of all of them, half of it with production seals"};

std::uint64_t hash_of(std::string_view name) {
  std::uint64_t h = 0xCBF29CE484222325ull;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  return h;
}

/// Sizes and timers at random: swarm testing works because each history is lopsided.
void vary(Draft& d) {
  Scenario& s = d.s;
  Random& r = d.random;
  s.frame_payload_bytes = static_cast<std::uint32_t>(8 * r.range(8, 180));
  s.message_bytes_max = static_cast<std::uint32_t>(r.range(1'200, 4'000));
  s.submit_window_bytes = static_cast<std::uint32_t>(8 * r.range(64, 1'024));
  s.window_bytes = static_cast<std::uint32_t>(8 * r.range(128, 4'096));
  s.handover_bytes_min = static_cast<std::uint32_t>(r.range(500, 20'000));
  s.heartbeat = r.range(5, 20) * kMillisecond;
  s.dead_after = std::max<TimeNs>(r.range(20, 80) * kMillisecond, 4 * s.heartbeat);
  s.stall_after = s.dead_after * r.range(3, 10);
  s.hold_min = r.range(5, 60) * kMillisecond;
  s.hold_max = s.hold_min * r.range(10, 100);
  s.plane_delay = r.range(1, 200) * kMicrosecond;
  s.load.interval = r.range(100, 5'000) * kMicrosecond;
  s.load.burst_max = static_cast<std::uint32_t>(r.range(1, 24));
  s.load.safe_percent = static_cast<std::uint32_t>(r.below(60));
  s.load.join_percent = static_cast<std::uint32_t>(r.below(20));
  s.load.payload_bytes_max = static_cast<std::uint32_t>(r.range(0, 600));
}

}  // namespace

/// Parts of the cluster that come and go, nested and repeated; healed links in between or not.
void partition_merge(Draft& d) {
  for (std::uint64_t n = d.times(1, 4); n > 0; --n) {
    const TimeNs at = d.when();
    d.step({.at = at,
            .kind = Step::Kind::Partition,
            .mask = d.random.next() & ((std::uint64_t{1} << (d.s.nodes - 1)) * 2 - 1)});
    if (d.random.percent(80)) {
      d.step({.at = at + d.random.range(5, 200) * kMillisecond, .kind = Step::Kind::HealLinks});
    }
  }
}

std::span<const RecipeInfo> recipes() noexcept {
  static const auto kAll = [] {
    std::array<RecipeInfo, kRecipes.size() + 2> all;
    for (std::size_t i = 0; i < kRecipes.size(); ++i) all[i] = kRecipes[i].info;
    all[kRecipes.size()] = kSwarm;
    all.back() = kStorm;
    return all;
  }();
  return kAll;
}

std::optional<Scenario> make_scenario(std::string_view recipe, std::uint64_t seed,
                                      const RecipeOptions& options) {
  Random random(transport::mix64(seed) ^ hash_of(recipe));
  Scenario scenario;
  scenario.recipe = recipe;
  scenario.seed = seed;
  scenario.nodes = options.nodes != 0 ? options.nodes : random.range(2, 5);
  scenario.lanes = static_cast<LaneId>(options.lanes != 0 ? options.lanes : random.range(1, 3));
  if (options.faulty_for != 0) scenario.faulty_until = options.faulty_for;
  Draft draft{scenario, random, options.nodes != 0};
  if (recipe == kSwarm.name) {
    vary(draft);
    for (std::uint64_t n = random.range(1, 6); n > 0; --n) {
      kRecipes[random.range(1, kSwarmRecipes - 1)].make(draft);
    }
  } else if (recipe == kStorm.name) {
    vary(draft);
    for (std::uint64_t n = random.range(1, 6); n > 0; --n) {
      kRecipes[random.range(1, kStormRecipes - 1)].make(draft);
    }
    scenario.real_seals = random.percent(50);
    scenario.settles =
        scenario.settles &&
        scenario.steps.end() ==
            std::find_if(scenario.steps.begin(), scenario.steps.end(),
                         [](const Step& step) { return step.kind == Step::Kind::Mute; });
  } else {
    for (std::string_view rest = recipe; !rest.empty();) {
      const std::size_t plus = std::min(rest.find('+'), rest.size());
      const auto found = std::find_if(kRecipes.begin(), kRecipes.end(), [&](const Recipe& r) {
        return r.info.name == rest.substr(0, plus);
      });
      if (found == kRecipes.end()) return std::nullopt;
      found->make(draft);
      rest.remove_prefix(std::min(plus + 1, rest.size()));
    }
  }
  if (scenario.nodes > 8) {  // Rows and deliveries grow with the square of the nodes.
    scenario.load.records_per_node =
        static_cast<std::uint32_t>(std::max<std::size_t>(600 / scenario.nodes, 5));
  }
  scenario.window_bytes = std::max(scenario.window_bytes, 2 * scenario.frame_payload_bytes);
  std::stable_sort(scenario.steps.begin(), scenario.steps.end(),
                   [](const Step& a, const Step& b) { return a.at < b.at; });
  return scenario;
}

}  // namespace phalanx::sim

// Random histories of splits, merges, attempts that fail half way, datagrams that are lost, late or
// repeated, and arbiters that restart with their file and without: no two quorate views without a
// common node, but for members that have not noticed yet that theirs was left.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <random>
#include <string>
#include <vector>

#include "controlplane/quorum/arbiter.h"
#include "controlplane/quorum/device.h"

namespace phalanx::quorum {
namespace {

constexpr std::size_t kNodes = 4;
constexpr NodeSet kAll = (NodeSet{1} << kNodes) - 1;

struct View {
  ViewId id;
  NodeSet nodes = 0;
  bool quorate = false;
};

/// An arbiter with device votes of 1 beside nodes of 1: half of them and it are a majority.
class World {
 public:
  explicit World(std::uint32_t seed) : dice_(seed), arbiter_(kAll, 1) {}

  void step() {
    switch (roll(16)) {
      case 0:
      case 1:
        return attempt();
      case 2:
        if (!kept_.empty()) deliver(kept_[roll(kept_.size())], false);  // Late, or once more.
        return;
      case 3:
        if (roll(4) == 0) restart(roll(16) != 0);
        return;
      default:
        if (kept_.size() > 20) kept_.erase(kept_.begin());
        return probe(roll(kNodes));
    }
  }

  /// Two views in force that are quorate and disjoint. In force: all its members are in it.
  [[nodiscard]] bool split() const {
    for (const View& a : views_) {
      for (const View& b : views_) {
        if (a.quorate && b.quorate && (a.nodes & b.nodes) == 0 && in_force(a) && in_force(b)) {
          return true;
        }
      }
    }
    return false;
  }
  int by_device = 0;
  int refused = 0;

 private:
  struct Datagram {
    std::size_t from = 0;
    wire::DeviceWord word;
    std::uint64_t counter = 0;
  };

  std::size_t roll(std::size_t sides) {
    return std::uniform_int_distribution<std::size_t>(0, sides - 1)(dice_);
  }
  [[nodiscard]] bool in_force(const View& view) const {
    for (std::size_t i = 0; i < kNodes; ++i) {
      if ((view.nodes >> i & 1) != 0 && views_[i].id != view.id) return false;
    }
    return true;
  }

  /// The asker hears the answer, unless it is late.
  bool deliver(const Datagram& datagram, bool heard) {
    if (datagram.counter <= highest_[datagram.from]) return false;
    highest_[datagram.from] = datagram.counter;
    const auto answer = arbiter_.on_ask(datagram.from, datagram.word);
    file_ = arbiter_.text();
    if (!heard) return false;
    auto& link = links_[datagram.from];
    const auto what = link.on_answer(answer.word);
    if (what == DeviceLink::Heard::AskAgain) {
      return deliver({datagram.from, *link.again(), ++counter_[datagram.from]}, true);
    }
    return what == DeviceLink::Heard::Yes;
  }

  bool send(std::size_t from, const ViewId& view, NodeSet nodes, bool installed) {
    const Datagram datagram{from, links_[from].ask(view, nodes, installed), ++counter_[from]};
    kept_.push_back(datagram);
    return roll(4) != 0 && deliver(datagram, roll(4) != 0);
  }

  void attempt() {
    NodeSet nodes = roll(3) == 0 ? kAll : 1 + roll(kAll);
    const auto leader = static_cast<NodeId>(std::countr_zero(nodes) + 1);
    const View view{.id = {++sequence_, leader, {}}, .nodes = nodes};
    bool granted = false;
    for (std::size_t i = 0; i < kNodes; ++i) {
      if ((nodes >> i & 1) == 0) continue;
      frozen_[i] = true;
      if (std::popcount(nodes) == 2) granted = send(i, view.id, nodes, false) || granted;
    }
    if (roll(4) == 0) return;  // It failed: frozen until another one is installed.
    const int votes = std::popcount(nodes) + (granted ? 1 : 0);
    View installed = view;
    installed.quorate = votes >= 3;
    if (std::popcount(nodes) == 2) ++(granted ? by_device : refused);
    for (std::size_t i = 0; i < kNodes; ++i) {
      if ((nodes >> i & 1) == 0) continue;
      views_[i] = installed;
      frozen_[i] = false;
    }
  }

  void probe(std::size_t node) {
    const View& view = views_[node];
    if (frozen_[node] || view.nodes == 0 || std::popcount(view.nodes) < 2) return;
    (void)send(node, view.id, view.nodes, true);
  }

  void restart(bool with_file) {
    Arbiter next(kAll, ++epoch_);
    if (with_file && !file_.empty()) {
      ASSERT_TRUE(next.restore(file_));
    }
    arbiter_ = next;
    highest_ = {};
  }

  std::mt19937 dice_;
  Arbiter arbiter_;
  std::uint32_t epoch_ = 1;
  std::string file_;
  std::uint64_t sequence_ = 0;
  std::array<View, kNodes> views_;
  std::array<bool, kNodes> frozen_{};
  std::array<DeviceLink, kNodes> links_;
  std::array<std::uint64_t, kNodes> counter_{};
  std::array<std::uint64_t, kNodes> highest_{};
  std::vector<Datagram> kept_;
};

TEST(ArbiterRandom, NoTwoHalvesAreQuorateAtOnce) {
  int by_device = 0;
  int refused = 0;
  for (std::uint32_t seed = 1; seed <= 4000; ++seed) {
    World world(seed);
    for (int step = 0; step < 300; ++step) {
      world.step();
      ASSERT_FALSE(world.split()) << "seed " << seed << " step " << step;
    }
    by_device += world.by_device;
    refused += world.refused;
  }
  // It must not be safe for want of grants, or of refusals.
  EXPECT_GT(by_device, 10000);
  EXPECT_GT(refused, 10000);
}

}  // namespace
}  // namespace phalanx::quorum

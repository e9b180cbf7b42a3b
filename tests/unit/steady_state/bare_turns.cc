#include "tests/unit/steady_state/bare_turns.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "ipc/base/time_ns.h"
#include "tests/unit/dataplane_worker/test_node.h"
#include "tests/unit/steady_state/census.h"

namespace phalanx::testing {
namespace {

/// Nodes whose clients send and read; the first one's worker has two readers of its shared log,
/// too.
class Traffic {
 public:
  Traffic(worker::testing::TestCluster& cluster, std::size_t nodes) : cluster_(cluster) {
    std::vector<std::size_t> all;
    for (std::size_t node = 0; node < nodes; ++node) all.push_back(node);
    cluster.change_view(all);
    for (ClientId node = 0; node < nodes; ++node) {
      clients_.push_back(
          std::make_unique<worker::testing::TestClient>(cluster[node].attach(node + 1)));
      clients_.back()->join("load");
    }
    for (const ClientId id : {ClientId{101}, ClientId{102}}) {
      log_readers_.push_back(std::make_unique<worker::testing::TestClient>(
          cluster[0].attach(id, true), cluster[0].log_fd()));
      log_readers_.back()->join("load");
    }
  }

  /// Some messages at every client, turns of all nodes, and everything read. The sum of what the
  /// turns did that had work to do.
  Census round(std::size_t number) {
    for (auto& client : clients_) {
      for (const std::size_t length : {std::size_t{64}, std::size_t{900}, number % 7 * 1000}) {
        if (client->send("load", std::string(length, 'x'))) ++sent_;
      }
    }
    Census sum;
    for (int turn = 0; turn < 4; ++turn) {
      cluster_.now += 5 * kMicrosecond;
      for (std::size_t node = 0; node < clients_.size(); ++node) {
        add(counted_turn(*cluster_[node].worker), sum);
      }
    }
    for (auto& client : clients_) read_ += worker::testing::messages(client->read()).size();
    for (auto& client : log_readers_)
      read_of_log_ += worker::testing::messages(client->read()).size();
    return sum;
  }

  [[nodiscard]] std::size_t sent() const { return sent_; }
  [[nodiscard]] std::size_t read() const { return read_; }
  [[nodiscard]] std::size_t read_of_log() const { return read_of_log_; }
  [[nodiscard]] std::size_t counted() const { return counted_; }

 private:
  Census counted_turn(worker::Worker& worker) {
    Count count;
    (void)monotonic_now();
    const std::size_t work = worker.poll_once(cluster_.now);
    const Census seen = count.end();
    if (work == 0) return {};
    ++counted_;
    return seen;
  }
  static void add(const Census& more, Census& sum) {
    sum.allocations += more.allocations;
    sum.locks += more.locks;
    sum.system_calls += more.system_calls;
    if (more.system_calls != 0) sum.system_call = more.system_call;
  }

  worker::testing::TestCluster& cluster_;
  std::vector<std::unique_ptr<worker::testing::TestClient>> clients_, log_readers_;
  std::size_t sent_ = 0;
  std::size_t read_of_log_ = 0;
  std::size_t read_ = 0;
  std::size_t counted_ = 0;
};

}  // namespace

void turns_are_bare(std::span<transport::Transport* const> transports, wire::Cipher cipher,
                    Kernel kernel) {
  worker::testing::TestCluster cluster(transports, {.cipher = cipher, .shared_log = 256U << 10});
  Traffic traffic(cluster, transports.size());
  for (std::size_t round = 0; round < 200; ++round) (void)traffic.round(round);
  const std::size_t warm = traffic.counted();
  std::uint64_t entered = 0;

  for (std::size_t round = 0; round < 1000; ++round) {
    const Census seen = traffic.round(round);
    ASSERT_EQ(seen.allocations, 0U) << "round " << round;
    ASSERT_EQ(seen.locks, 0U) << "round " << round;
    entered += seen.system_calls;
    if (kernel == Kernel::Entered) continue;
    ASSERT_EQ(seen.system_calls, 0U) << "round " << round << ", number " << seen.system_call;
  }

  EXPECT_GT(traffic.counted() - warm, 1000 * transports.size()) << "turns with work";
  EXPECT_TRUE(kernel == Kernel::Untouched || entered > 1000U) << entered;
  EXPECT_GT(traffic.sent(), 2000 * transports.size());
  EXPECT_GT(traffic.read_of_log(), 2 * (traffic.sent() - 200));
  // Each reads what all send, but for what is still on its way.
  EXPECT_GT(traffic.read(), transports.size() * (traffic.sent() - 100));
}

}  // namespace phalanx::testing

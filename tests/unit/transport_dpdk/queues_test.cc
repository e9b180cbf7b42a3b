#include <gtest/gtest.h>

#include "tests/unit/transport_dpdk/nodes.h"
#include "tests/unit/transport_dpdk/pair.h"
#include "tests/unit/transport_dpdk/rings.h"
#include "transport/dpdk/eal.h"

namespace phalanx::transport::dpdk {
namespace {

using Kind = Destination::Kind;

/// Two nodes of two workers each, at a wire with two queues.
class Queues : public testing::Test {
 protected:
  void SetUp() override {
    const auto started =
        start_eal({.instance = "test", .cpu = {}, .pci = {}, .extra = eal_words()});
    ASSERT_TRUE(started) << started.error().text();
  }

  static PairOptions over(const std::string& name, bool crossed) {
    make_wide_ring_pair(name, crossed);
    return {.device_1 = "net_ring_" + name + "_first",
            .device_2 = "net_ring_" + name + "_second",
            .workers = 2};
  }
};

/// What workers of a node got, both polled in turn as their threads would.
std::array<std::vector<Bytes>, 2> take_both(const Transports& node, std::size_t count) {
  std::array<std::vector<Bytes>, 2> out;
  (void)turn_until([&] {
    for (std::size_t worker = 0; worker < 2; ++worker) {
      for (Bytes& frame : receive(*node[worker])) out[worker].push_back(std::move(frame));
    }
    return out[0].size() + out[1].size() >= count;
  });
  return out;
}

void each_gets_its_own(const PairOptions& options) {
  const Pair pair(options);
  ASSERT_TRUE(pair.is_open());
  const NodeId members[] = {1, 2, 3};
  for (const Transports& node : pair.workers) {
    for (const auto& worker : node) worker->set_members(members);
  }

  for (std::uint8_t i = 0; i < 20; ++i) {
    for (std::uint8_t worker = 0; worker < 2; ++worker) {
      send(*pair.workers[0][worker], {frame_of(static_cast<std::uint8_t>(2 * i + worker), 100)},
           {.kind = i % 2 == 0 ? Kind::Members : Kind::Everyone});
    }
  }
  const auto got = take_both(pair.workers[1], 40);

  for (std::uint8_t worker = 0; worker < 2; ++worker) {
    ASSERT_EQ(got[worker].size(), 20U) << "worker " << +worker;
    for (std::uint8_t i = 0; i < 20; ++i) {
      EXPECT_EQ(got[worker][i], frame_of(static_cast<std::uint8_t>(2 * i + worker), 100));
    }
    EXPECT_EQ(pair.workers[1][worker]->counters().rx_frames, 20U);
    EXPECT_EQ(pair.workers[1][worker]->counters().rx_overflow, 0U);
  }
}

TEST_F(Queues, BringEachWorkerItsOwn) { each_gets_its_own(over("straight", false)); }

TEST_F(Queues, HandOverWhatCameToTheWrongOne) {
  PairOptions options = over("crossed", true);
  each_gets_its_own(options);
  options.multicast = true;
  options.ipv6 = true;
  each_gets_its_own(options);
}

TEST_F(Queues, HandOverToNobodyButTheWorkerMeant) {
  const Pair pair(over("meant", true));
  ASSERT_TRUE(pair.is_open());
  send(*pair.workers[0][1], {frame_of(7, 60)}, {.kind = Kind::Peer, .peer = 2});

  EXPECT_TRUE(receive(*pair.workers[1][1]).empty()) << "it lies in the first one's queue";
  EXPECT_TRUE(receive(*pair.workers[1][0]).empty());
  EXPECT_EQ(receive(*pair.workers[1][1]), std::vector<Bytes>{frame_of(7, 60)});
}

// The ring of a hashed queue may fill with frames of all workers, and a window must fit it alone.
TEST_F(Queues, ShareTheLengthOfARingThatAnyOfThemMayFill) {
  const Pair pair(over("shared", false));
  ASSERT_TRUE(pair.is_open());
  EXPECT_EQ(pair.workers[0].size(), 2U);
  EXPECT_EQ(pair.workers[0][0]->limits().rx_ring_frames, 256U);
  EXPECT_EQ(pair.workers[0][1]->limits().rx_ring_frames, 256U);
  EXPECT_STREQ(pair.workers[0][0]->ports().driver, "net_ring 2q hashed");
}

// Who does not read loses frames of his own; those of the others go on, and all buffers come back.
TEST_F(Queues, AWorkerThatDoesNotReadLosesItsOwnOnly) {
  const Pair pair(over("deaf", true));
  ASSERT_TRUE(pair.is_open());
  const std::vector<Bytes> burst(32, frame_of(1, 900));
  for (int i = 0; i < 100; ++i) {
    send(*pair.workers[0][1], burst, {.kind = Kind::Peer, .peer = 2});
    EXPECT_TRUE(receive(*pair.workers[1][0]).empty());
  }
  EXPECT_GT(pair.workers[1][0]->counters().rx_overflow, 1000U);

  send(*pair.workers[0][0], {frame_of(2, 100)}, {.kind = Kind::Peer, .peer = 2});
  EXPECT_FALSE(receive(*pair.workers[1][1]).empty()) << "what it had room for, at last";
  EXPECT_EQ(receive(*pair.workers[1][0]), std::vector<Bytes>{frame_of(2, 100)})
      << "which lay in its queue behind none of these";
  while (!receive(*pair.workers[1][1]).empty()) {
  }
  for (int i = 0; i < 100; ++i) {
    send(*pair.workers[0][1], burst, {.kind = Kind::Peer, .peer = 2});
    (void)receive(*pair.workers[1][0]);
    ASSERT_EQ(receive(*pair.workers[1][1]).size(), burst.size()) << i;
  }
}

TEST_F(Queues, AreRefusedWhereThereAreTooFew) {
  PairOptions options = over("few", false);
  options.workers = 3;

  const auto opened = open(pair_config(options, 1));

  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ExitCode::Usage);
  EXPECT_NE(opened.error().observed.find("queues for 2 of worker.count = 3"), std::string::npos)
      << opened.error().text();
  EXPECT_NE(opened.error().remedy.find("worker.count = 2"), std::string::npos);
}

}  // namespace
}  // namespace phalanx::transport::dpdk

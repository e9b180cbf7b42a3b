#include "transport/udp/udp_transport.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

namespace phalanx::transport::udp {
namespace {

using Kind = Destination::Kind;
using Bytes = std::vector<std::byte>;

/// Frame `number` of `length` bytes: no two are alike.
Bytes frame_of(std::size_t number, std::size_t length) {
  Bytes out(length);
  for (std::size_t i = 0; i < length; ++i) out[i] = static_cast<std::byte>(number * 37 + i);
  return out;
}

void send(Transport& from, const std::vector<Bytes>& frames, const Destination& to) {
  std::vector<TxFrame> lent(frames.size());
  ASSERT_EQ(from.tx_alloc(lent), frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    std::copy(frames[i].begin(), frames[i].end(), lent[i].bytes.begin());
    lent[i].length = frames[i].size();
    lent[i].to = to;
  }
  from.tx_burst(lent);
}

/// Takes all that comes, until there were `count` frames or nothing came for a second.
std::vector<Bytes> receive(Transport& at, std::size_t count) {
  std::vector<Bytes> out;
  while (out.size() < count) {
    pollfd wait{.fd = at.wait_fd(), .events = POLLIN, .revents = 0};
    RxFrame frames[32];
    std::size_t got = at.rx_burst(frames);
    if (got == 0 && poll(&wait, 1, 1000) == 1) got = at.rx_burst(frames);
    if (got == 0) break;
    for (const RxFrame& frame : std::span(frames).first(got)) {
      out.emplace_back(frame.bytes.begin(), frame.bytes.end());
    }
    at.rx_release(std::span(frames).first(got));
  }
  return out;
}

bool is_quiet(Transport& at) {
  RxFrame frame;
  return at.rx_burst({&frame, 1}) == 0;
}

struct Options {
  std::string host = "127.0.0.1";
  bool segmentation = true;
  std::optional<Endpoint> multicast;
  std::uint32_t receive_buffer = 4U << 20;
};

/// Nodes 1 to n on free ports of this host, which know one another.
std::vector<std::unique_ptr<UdpTransport>> open_nodes(std::size_t count, const Options& options) {
  std::vector<std::unique_ptr<UdpTransport>> nodes;
  std::vector<Peer> peers;
  for (NodeId node = 1; node <= count; ++node) peers.push_back({node, {options.host, 1}});
  for (NodeId node = 1; node <= count; ++node) {
    auto opened = open({.self = node,
                        .local = {options.host, 0},
                        .peers = peers,
                        .multicast = options.multicast,
                        .receive_buffer = options.receive_buffer,
                        .segmentation = options.segmentation});
    EXPECT_TRUE(opened) << opened.error().text();
    if (!opened) return {};
    nodes.push_back(std::move(*opened));
  }
  for (auto& node : nodes) {
    for (NodeId peer = 1; peer <= count; ++peer) {
      node->set_peer(peer, nodes[peer - 1]->local_address());
    }
  }
  return nodes;
}

class UdpTransportTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    nodes_ = open_nodes(3, {.segmentation = GetParam()});
    ASSERT_EQ(nodes_.size(), 3U);
  }
  std::vector<std::unique_ptr<UdpTransport>> nodes_;
};

TEST_P(UdpTransportTest, CarriesRunsOfFramesOfAnySizesInOrder) {
  std::vector<Bytes> frames;
  const std::size_t full = nodes_[0]->limits().frame_bytes_max;
  for (const std::size_t length : {full, full, full, full - 1, full, std::size_t{48},
                                   std::size_t{48}, std::size_t{49}, std::size_t{1}, full}) {
    frames.push_back(frame_of(frames.size(), length));
  }

  send(*nodes_[0], frames, {.kind = Kind::Peer, .peer = 2});

  EXPECT_EQ(receive(*nodes_[1], frames.size()), frames);
  EXPECT_TRUE(is_quiet(*nodes_[1]));
  EXPECT_TRUE(is_quiet(*nodes_[2]));
}

TEST_P(UdpTransportTest, CarriesWholeBurstsOfFullFrames) {
  for (int round = 0; round < 20; ++round) {
    std::vector<Bytes> frames;
    for (std::size_t i = 0; i < nodes_[0]->limits().burst_frames_max; ++i) {
      frames.push_back(frame_of(i, nodes_[0]->limits().frame_bytes_max));
    }

    send(*nodes_[0], frames, {.kind = Kind::Everyone});

    ASSERT_EQ(receive(*nodes_[1], frames.size()), frames);
    ASSERT_EQ(receive(*nodes_[2], frames.size()), frames);
  }
}

TEST_P(UdpTransportTest, SendsToMembersAndToEveryoneButNeverToItself) {
  const NodeId members[] = {1, 3};
  nodes_[0]->set_members(members);

  send(*nodes_[0], {frame_of(1, 100)}, {.kind = Kind::Members});
  EXPECT_EQ(receive(*nodes_[2], 1).size(), 1U);
  EXPECT_TRUE(is_quiet(*nodes_[1]));

  send(*nodes_[0], {frame_of(2, 100)}, {.kind = Kind::Everyone});
  EXPECT_EQ(receive(*nodes_[1], 1).size(), 1U);
  EXPECT_EQ(receive(*nodes_[2], 1).size(), 1U);
  EXPECT_TRUE(is_quiet(*nodes_[0]));
}

TEST_P(UdpTransportTest, KeepsTheOrderToAPeerAcrossDestinations) {
  const NodeId members[] = {1, 2, 3};
  nodes_[0]->set_members(members);
  std::vector<TxFrame> lent(3);
  ASSERT_EQ(nodes_[0]->tx_alloc(lent), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    lent[i].bytes[0] = static_cast<std::byte>(i);
    lent[i].length = 100;
    lent[i].to = {.kind = i == 1 ? Kind::Peer : Kind::Members, .peer = 2};
  }

  nodes_[0]->tx_burst(lent);

  const std::vector<Bytes> at_two = receive(*nodes_[1], 3);
  ASSERT_EQ(at_two.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(at_two[i][0], static_cast<std::byte>(i));
  EXPECT_EQ(receive(*nodes_[2], 2).size(), 2U);
}

// Buffers come back in any order, and those that a slow reader holds are not written to.
TEST_P(UdpTransportTest, LeavesLentFramesAlone) {
  std::vector<RxFrame> held;
  for (std::size_t i = 0; i < 20; ++i) {
    send(*nodes_[0], {frame_of(i, 200)}, {.kind = Kind::Peer, .peer = 2});
    pollfd wait{.fd = nodes_[1]->wait_fd(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&wait, 1, 1000), 1);
    RxFrame frame;
    ASSERT_EQ(nodes_[1]->rx_burst({&frame, 1}), 1U);
    held.push_back(frame);
  }

  for (std::size_t i = 0; i < held.size(); ++i) {
    EXPECT_EQ(Bytes(held[i].bytes.begin(), held[i].bytes.end()), frame_of(i, 200));
  }

  for (std::size_t i = held.size(); i > 0; --i) nodes_[1]->rx_release({&held[i - 1], 1});
  send(*nodes_[0], {frame_of(99, 200)}, {.kind = Kind::Peer, .peer = 2});
  EXPECT_EQ(receive(*nodes_[1], 1).at(0), frame_of(99, 200));
}

TEST_P(UdpTransportTest, CountsWhatItCarries) {
  send(*nodes_[0], {frame_of(1, 100), frame_of(2, 100)}, {.kind = Kind::Everyone});
  ASSERT_EQ(receive(*nodes_[1], 2).size(), 2U);

  EXPECT_EQ(nodes_[0]->counters().tx_frames, 4U);
  EXPECT_EQ(nodes_[0]->counters().tx_bytes, 400U);
  EXPECT_EQ(nodes_[0]->counters().tx_refused, 0U);
  EXPECT_EQ(nodes_[1]->counters().rx_frames, 2U);
  EXPECT_EQ(nodes_[1]->counters().rx_bytes, 200U);
}

INSTANTIATE_TEST_SUITE_P(Gso, UdpTransportTest, ::testing::Bool(), [](const auto& parameter) {
  return parameter.param ? "WithSegmentation" : "OneByOne";
});

TEST(UdpTransport, CountsWhatTheKernelHadNoRoomFor) {
  auto nodes = open_nodes(2, {.segmentation = false, .receive_buffer = 4096});
  ASSERT_EQ(nodes.size(), 2U);
  const std::vector<Bytes> burst(64, frame_of(1, 1000));
  send(*nodes[0], burst, {.kind = Kind::Peer, .peer = 2});
  const std::size_t kept = receive(*nodes[1], burst.size()).size();
  ASSERT_LT(kept, burst.size());

  // The kernel tells with the next frame that it keeps.
  send(*nodes[0], {frame_of(2, 100)}, {.kind = Kind::Peer, .peer = 2});
  ASSERT_EQ(receive(*nodes[1], 1).size(), 1U);

  EXPECT_EQ(nodes[1]->counters().rx_overflow, burst.size() - kept);
}

TEST(UdpTransport, PromisesNoMoreFramesThanTheKernelKeeps) {
  for (const std::size_t length : {std::size_t{48}, std::size_t{1472}}) {
    auto nodes = open_nodes(2, {.segmentation = false, .receive_buffer = 200'000});
    ASSERT_EQ(nodes.size(), 2U);
    const std::uint32_t promised = nodes[1]->limits().rx_ring_frames;
    ASSERT_GT(promised, 0U);

    for (std::uint32_t i = 0; i < promised; ++i) {
      send(*nodes[0], {frame_of(i, length)}, {.kind = Kind::Peer, .peer = 2});
    }

    EXPECT_EQ(receive(*nodes[1], promised).size(), promised) << length;
  }
}

TEST(UdpTransport, WorksOverIpv6) {
  auto probe = open({.self = 1, .local = {"::1", 0}});
  if (!probe) GTEST_SKIP() << probe.error().text();
  auto nodes = open_nodes(2, {.host = "::1"});
  ASSERT_EQ(nodes.size(), 2U);
  EXPECT_EQ(nodes[0]->limits().frame_bytes_max, 1500U - 48U);
  const std::vector<Bytes> frames(40, frame_of(1, nodes[0]->limits().frame_bytes_max));

  send(*nodes[0], frames, {.kind = Kind::Everyone});

  EXPECT_EQ(receive(*nodes[1], frames.size()), frames);
}

TEST(UdpTransport, SendsOneFrameToAGroupThatAllHearButItself) {
  // A port of this process: another run of the test on this host is another cluster.
  const auto port = static_cast<std::uint16_t>(20'000 + getpid() % 20'000);
  auto nodes = open_nodes(3, {.multicast = Endpoint{"239.192.54.5", port}});
  ASSERT_EQ(nodes.size(), 3U);
  const std::vector<Bytes> frames(10, frame_of(1, 500));

  send(*nodes[0], frames, {.kind = Kind::Members});

  EXPECT_EQ(receive(*nodes[1], frames.size()), frames);
  EXPECT_EQ(receive(*nodes[2], frames.size()), frames);
  EXPECT_TRUE(is_quiet(*nodes[0]));
  EXPECT_EQ(nodes[0]->counters().tx_frames, frames.size());

  send(*nodes[0], {frame_of(2, 50)}, {.kind = Kind::Peer, .peer = 2});
  EXPECT_EQ(receive(*nodes[1], 1).at(0), frame_of(2, 50));
  EXPECT_TRUE(is_quiet(*nodes[2]));
}

int busy_poll_of(int fd) {
  int us = -1;
  socklen_t length = sizeof us;
  return getsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &us, &length) == 0 ? us : -1;
}

TEST(UdpTransport, PollsTheAdapterWhereThatIsAskedFor) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may ask for it";
  auto polls = open({.self = 1, .local = {"127.0.0.1", 0}, .busy_poll_us = 50, .cpu = 0});
  ASSERT_TRUE(polls) << polls.error().text();
  EXPECT_EQ(busy_poll_of((*polls)->wait_fd()), 50);
  auto plain = open({.self = 1, .local = {"127.0.0.1", 0}});
  ASSERT_TRUE(plain);
  EXPECT_NE(busy_poll_of((*plain)->wait_fd()), 50);

  // What a service without the capability reads; newer kernels ask for none.
  ASSERT_EQ(seteuid(65534), 0);
  auto service = open({.self = 1, .local = {"127.0.0.1", 0}, .busy_poll_us = 50});
  ASSERT_EQ(seteuid(0), 0);
  if (service) {
    EXPECT_EQ(busy_poll_of((*service)->wait_fd()), 50);
  } else {
    EXPECT_NE(service.error().text().find("transport.busy_poll = \"50us\""), std::string::npos);
    EXPECT_NE(service.error().remedy.find("CAP_NET_ADMIN"), std::string::npos);
  }
}

TEST(UdpTransport, NamesThePortThatIsTakenAndTheRemedy) {
  auto first = open({.self = 1, .local = {"127.0.0.1", 0}});
  ASSERT_TRUE(first) << first.error().text();
  const std::uint16_t port = (*first)->local_address().port();

  auto second = open({.self = 2, .local = {"127.0.0.1", port}});

  ASSERT_FALSE(second);
  const std::string text = second.error().text();
  EXPECT_NE(text.find("127.0.0.1:" + std::to_string(port)), std::string::npos) << text;
  EXPECT_NE(text.find("EADDRINUSE"), std::string::npos) << text;
  EXPECT_NE(text.find("ss -ulpn"), std::string::npos) << text;
}

TEST(UdpTransport, NamesWhatItCannotUse) {
  struct Case {
    UdpConfig config;
    std::string says;
  };
  const Endpoint here{"127.0.0.1", 0};
  for (const Case& c : std::vector<Case>{
           {{.self = 1, .local = {"192.0.2.1", 5405}}, "no interface has this address"},
           {{.self = 1, .local = {"n1.example", 5405}}, "no numeric IPv4 or IPv6 address"},
           {{.self = 1, .local = here, .mtu = 1000}, "1280"},
           {{.self = 1, .local = here, .mtu = 65536}, "out of range"},
           {{.self = 1, .local = here, .peers = {{2, {"::1", 1}}}}, "::1"},
           {{.self = 1, .local = here, .multicast = Endpoint{"10.0.0.1", 1}}, "no multicast group"},
       }) {
    auto opened = open(c.config);
    ASSERT_FALSE(opened) << c.says;
    EXPECT_NE(opened.error().text().find(c.says), std::string::npos) << opened.error().text();
    EXPECT_FALSE(opened.error().remedy.empty()) << opened.error().text();
  }
}

}  // namespace
}  // namespace phalanx::transport::udp

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <new>
#include <vector>

#include "ipc/base/time_ns.h"
#include "ipc/shm/descriptor_socket.h"
#include "tests/unit/transport_shm/nodes.h"
#include "transport/shm/introduction.h"
#include "transport/shm/layout.h"
#include "transport/shm/meeting.h"
#include "transport/shm/memory.h"

namespace phalanx::transport::shm {
namespace {

constexpr std::uint32_t kSlots = 16;
constexpr std::size_t kPageBytes = (sizeof(LinkPage) + 4095) / 4096 * 4096;

Introduction introduction_of(std::uint32_t node) {
  return {.node = node, .ring_frames = kRingFrames, .frame_bytes = kFrameBytes, .slots = kSlots};
}

/// A process that may use the sockets and says and writes what it likes: a node 2 that is none.
class Impostor {
 public:
  explicit Impostor(const std::string& directory)
      : socket_(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket_of(directory, 1).c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    frames_ = *Memory::create("impostor", Meeting::frames_bytes(kSlots, kFrameBytes), 0);
    page_memory_ = *Memory::create("impostor", kPageBytes, 0);
    page = new (page_memory_.data()) LinkPage{};
  }
  [[nodiscard]] bool say(const Introduction& what) const {
    return introduce(socket_.get(), what, frames_.fd(), page_memory_.fd());
  }
  [[nodiscard]] bool say(const void* data, std::size_t bytes, std::vector<int> fds) const {
    return phalanx::shm::send_with_descriptors(socket_.get(), data, bytes, fds.data(), fds.size());
  }
  /// Whether the node hung up.
  [[nodiscard]] bool is_refused() const {
    return turn_until([this] {
      std::byte ignored[256];
      const ssize_t got = recv(socket_.get(), ignored, sizeof ignored, MSG_DONTWAIT);
      return got == 0 || (got < 0 && errno == ECONNRESET);
    });
  }
  [[nodiscard]] int frames() const { return frames_.fd(); }
  [[nodiscard]] int page_fd() const { return page_memory_.fd(); }

  LinkPage* page = nullptr;

 private:
  Fd socket_;
  Memory frames_;
  Memory page_memory_;
};

class ShmHostile : public testing::Test {
 protected:
  bool links() {
    return turn_until([this] {
      (void)receive(*node_);
      return node_->ports().up == 1;
    });
  }
  bool unlinks() {
    return turn_until([this] {
      send(*node_, {frame_of(1, 64)}, {.kind = Destination::Kind::Everyone});
      (void)receive(*node_);
      return node_->ports().up == 0;
    });
  }
  /// A true node 2 comes, and is heard.
  void expect_a_true_peer_is_heard() {
    const auto peer = open_node(directory_.path(), 2, 2);
    ASSERT_TRUE(turn_until([&] {
      send(*peer, {frame_of(1, 64)}, {.kind = Destination::Kind::Everyone});
      (void)receive(*peer);
      return !receive(*node_).empty();
    }));
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Transport> node_ = open_node(directory_.path(), 1, 2);
};

TEST_F(ShmHostile, WhoSaysAnotherVersionIsRefused) {
  for (const auto& spoil : std::vector<std::function<void(Introduction&)>>{
           [](Introduction& i) { ++i.version; }, [](Introduction& i) { i.magic = 0; },
           [](Introduction& i) { i.ring_frames = 1; }, [](Introduction& i) { i.frame_bytes = 0; },
           [](Introduction& i) { i.slots = 0; }, [](Introduction& i) { i.slots = ~0U; },
           [](Introduction& i) { i.slots = kSlots + 1; }, [](Introduction& i) { i.node = 1; },
           [](Introduction& i) { i.node = 3; }, [](Introduction& i) { i.node = 0x10002; }}) {
    const Impostor impostor(directory_.path());
    Introduction said = introduction_of(2);
    spoil(said);
    ASSERT_TRUE(impostor.say(said));
    EXPECT_TRUE(impostor.is_refused());
  }
  expect_a_true_peer_is_heard();
}

TEST_F(ShmHostile, HalfAnIntroductionIsRefused) {
  const Introduction said = introduction_of(2);
  std::array<std::byte, sizeof said + 8> longer{};
  std::memcpy(longer.data(), &said, sizeof said);
  const auto tries = std::vector<std::function<bool(const Impostor&)>>{
      [&](const Impostor& i) { return i.say(&said, sizeof said, {}); },
      [&](const Impostor& i) { return i.say(&said, sizeof said, {i.frames()}); },
      [&](const Impostor& i) {
        return i.say(&said, sizeof said, {i.frames(), i.page_fd(), i.page_fd()});
      },
      [&](const Impostor& i) {
        return i.say(&said, sizeof said, {i.page_fd(), i.frames()});
      },
      [&](const Impostor& i) {
        return i.say(&said, sizeof said, {0, 0});
      },
      [&](const Impostor& i) {
        return i.say(&said, sizeof said - 1, {i.frames(), i.page_fd()});
      },
      [&](const Impostor& i) {
        return i.say(longer.data(), longer.size(), {i.frames(), i.page_fd()});
      }};
  for (const auto& say : tries) {
    const Impostor impostor(directory_.path());
    ASSERT_TRUE(say(impostor));
    EXPECT_TRUE(impostor.is_refused());
  }
  expect_a_true_peer_is_heard();
}

TEST_F(ShmHostile, ADescriptorThatCannotBeEndsTheLink) {
  for (const std::uint64_t word :
       {Descriptor{.slot = kSlots, .length = 1}.word(), Descriptor{.slot = 0, .length = 0}.word(),
        Descriptor{.slot = 0, .length = kFrameBytes + 1}.word(), ~std::uint64_t{0}}) {
    const Impostor impostor(directory_.path());
    ASSERT_TRUE(impostor.say(introduction_of(2)));
    ASSERT_TRUE(links());
    const std::uint64_t before = node_->ports().troubles;
    impostor.page->ring[0] = word;
    impostor.page->sent = 1;
    EXPECT_TRUE(unlinks());
    EXPECT_TRUE(impostor.is_refused());
    EXPECT_EQ(node_->ports().troubles, before + 1);
  }
  expect_a_true_peer_is_heard();
}

TEST_F(ShmHostile, PositionsThatCannotBeEndTheLink) {
  for (const bool sent : {true, false}) {
    const Impostor impostor(directory_.path());
    ASSERT_TRUE(impostor.say(introduction_of(2)));
    ASSERT_TRUE(links());
    (sent ? impostor.page->sent : impostor.page->taken) = std::uint64_t{1} << 40;
    EXPECT_TRUE(unlinks());
    EXPECT_TRUE(impostor.is_refused());
  }
  expect_a_true_peer_is_heard();
}

// Who never gives anything back loses its own frames.
TEST_F(ShmHostile, APeerThatTakesNothingDoesNotStopTheNode) {
  const Impostor impostor(directory_.path());
  ASSERT_TRUE(impostor.say(introduction_of(2)));
  ASSERT_TRUE(links());
  for (int i = 0; i < 3000; ++i) {
    send(*node_, {frame_of(1, 64)}, {.kind = Destination::Kind::Everyone});
  }
  EXPECT_EQ(node_->counters().tx_frames, kRingFrames);
  EXPECT_EQ(node_->counters().tx_refused, 3000u - kRingFrames);
}

TEST_F(ShmHostile, AnImpostorDoesNotDisplaceALivingNode) {
  const auto peer = open_node(directory_.path(), 2, 2);
  ASSERT_TRUE(links());

  const Impostor impostor(directory_.path());
  ASSERT_TRUE(impostor.say(introduction_of(2)));

  EXPECT_TRUE(impostor.is_refused());
  ASSERT_TRUE(turn_until([&] {
    send(*peer, {frame_of(1, 64)}, {.kind = Destination::Kind::Everyone});
    (void)receive(*peer);
    return !receive(*node_).empty();
  }));
}

// More of them than there are places for guests, and nobody says a word: who came first makes room.
TEST_F(ShmHostile, ACrowdThatSaysNothingDoesNotKeepAPeerOut) {
  const auto time_until_heard = [this] {
    const TimeNs before = monotonic_now();
    expect_a_true_peer_is_heard();
    return monotonic_now() - before;
  };
  const TimeNs alone = time_until_heard();
  std::vector<std::unique_ptr<Impostor>> crowd;
  constexpr std::size_t kCrowd = 150;
  crowd.reserve(kCrowd);
  // No more at once than a backlog holds.
  while (crowd.size() < kCrowd) {
    crowd.push_back(std::make_unique<Impostor>(directory_.path()));
    if (crowd.size() % 50 == 0) usleep(20'000);
  }
  EXPECT_TRUE(crowd.front()->is_refused());
  const TimeNs in_the_crowd = time_until_heard();
  if (alone > 100 * kMillisecond) GTEST_SKIP() << "too slow a host to tell by the time";
  EXPECT_LT(in_the_crowd, 900 * kMillisecond) << "it had to wait until they were dropped";
}

// What it still says after it was caught is not taken.
TEST_F(ShmHostile, APeerThatIsCaughtIsNotHeardOn) {
  const Impostor impostor(directory_.path());
  ASSERT_TRUE(impostor.say(introduction_of(2)));
  ASSERT_TRUE(links());
  for (std::uint64_t i = 0; i < 512; ++i) {
    impostor.page->ring[i] = Descriptor{.slot = 0, .length = i == 40 ? 0U : 64U}.word();
  }
  impostor.page->sent = 512;
  std::size_t taken = 0;
  EXPECT_TRUE(turn_until([&] {
    taken += receive(*node_).size();
    return node_->ports().up == 0;
  }));
  EXPECT_EQ(taken, 40u);
}

}  // namespace
}  // namespace phalanx::transport::shm

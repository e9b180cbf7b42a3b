#include "transport/wire/frame_seal.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "tests/unit/transport_wire/samples.h"

namespace phalanx::wire {
namespace {

const std::vector<Member> kMembers = {{1, samples::boot(1)}, {2, samples::boot(2)}};

/// A node with its keys, sealing and opening.
struct Node {
  explicit Node(std::size_t rank, std::string_view cluster = "c", Member as = {},
                Cipher cipher = Cipher::OpenSsl)
      : self(as.node != 0 ? as : kMembers[rank]),
        keys({.cipher = cipher, .self = self, .lanes = 2, .nodes = {1, 2, 3}},
             insecure_cluster_key(cluster)),
        sealer(keys),
        opener(keys) {}

  std::vector<std::byte> data(LaneId lane = 0) {
    std::vector<std::byte> frame(1500);
    frame.resize(sealer.seal_data(FrameType::Ordered, lane, 640, payload, frame));
    return frame;
  }
  std::vector<std::byte> control(const BootId& receiver) {
    std::vector<std::byte> frame(1500);
    frame.resize(sealer.seal_control(0, receiver, payload, frame));
    return frame;
  }
  FrameVerdict receive(std::span<const std::byte> frame) {
    checked = opener.check(frame);
    if (checked.verdict != FrameVerdict::Good) return checked.verdict;
    opened.assign(checked.sealed.size(), std::byte{0});
    (void)opener.open(checked, opened.data());
    return checked.verdict;
  }

  Member self;
  KeyTable keys;
  FrameSealer sealer;
  FrameOpener opener;
  std::vector<std::byte> payload = std::vector<std::byte>(100, std::byte{0x5a});
  CheckedFrame checked;
  std::vector<std::byte> opened;
};

constexpr TimeNs kGuessesPeriod = 5 * kMillisecond;

struct TwoNodes : ::testing::Test {
  void SetUp() override {
    one.keys.install(samples::view(1), kMembers);
    two.keys.install(samples::view(1), kMembers);
  }
  Node one{0};
  Node two{1};
};

using FrameSeal = TwoNodes;

TEST_F(FrameSeal, CarriesDataFromOneMemberToAnother) {
  ASSERT_EQ(two.receive(one.data(1)), FrameVerdict::Good);

  EXPECT_EQ(two.opened, one.payload);
  EXPECT_EQ(two.checked.header.position, 640U);
  EXPECT_EQ(two.checked.header.lane, 1);
  EXPECT_EQ(two.checked.sender(), one.self);
  EXPECT_EQ(two.checked.key->use, KeyUse::View);
}

TEST_F(FrameSeal, CarriesControlFromAStrangerWithTheClusterKey) {
  ASSERT_EQ(two.receive(one.control(two.self.boot)), FrameVerdict::Good);
  EXPECT_TRUE(two.checked.guessed);
  EXPECT_TRUE(two.checked.addressed);
  EXPECT_EQ(two.checked.sender(), one.self);

  ASSERT_EQ(two.receive(one.control(BootId{})), FrameVerdict::Good);
  EXPECT_FALSE(two.checked.guessed);
  EXPECT_FALSE(two.checked.addressed);
  EXPECT_EQ(two.opened, one.payload);
}

TEST_F(FrameSeal, TakesEachFrameOnce) {
  const auto data = one.data();
  const auto hello = one.control(BootId{});
  EXPECT_EQ(two.receive(data), FrameVerdict::Good);
  EXPECT_EQ(two.receive(hello), FrameVerdict::Good);

  EXPECT_EQ(two.receive(data), FrameVerdict::Replayed);
  EXPECT_EQ(two.receive(hello), FrameVerdict::Replayed);
}

/// A frame in memory that its sender still writes to: changed between the check and the opening.
FrameVerdict receive_while_it_changes(Node& at, std::vector<std::byte> frame, std::size_t from,
                                      std::size_t to) {
  at.checked = at.opener.check(frame);
  if (at.checked.verdict != FrameVerdict::Good) return at.checked.verdict;
  for (std::size_t i = from; i < to; ++i) frame[i] ^= std::byte{0xff};
  at.opened.assign(at.checked.sealed.size(), std::byte{0});
  (void)at.opener.open(at.checked, at.opened.data());
  return at.checked.verdict;
}

// What was looked at is what is authenticated: the other way round a header could be checked that
// nobody sealed.
TEST(FrameSealOfEachCipher, ReadsHeaderAndTagOnce) {
  for (const Cipher cipher : {Cipher::OpenSsl, Cipher::IpsecMb, Cipher::Insecure}) {
    if (!available(cipher)) continue;
    Node one(0, "c", {}, cipher);
    Node two(1, "c", {}, cipher);
    one.keys.install(samples::view(1), kMembers);
    two.keys.install(samples::view(1), kMembers);
    const std::size_t end = one.data().size();

    EXPECT_EQ(receive_while_it_changes(two, one.data(), 0, kHeaderBytes), FrameVerdict::Good);
    EXPECT_EQ(two.opened, one.payload);
    EXPECT_EQ(receive_while_it_changes(two, one.data(), end - kTagBytes, end), FrameVerdict::Good);
    EXPECT_EQ(receive_while_it_changes(two, one.control(two.self.boot), 0,
                                       kHeaderBytes + kControlPrefixBytes),
              FrameVerdict::Good);
    EXPECT_EQ(receive_while_it_changes(two, one.data(), kHeaderBytes, kHeaderBytes + 1),
              FrameVerdict::BadTag);
  }
}

TEST_F(FrameSeal, RefusesAFrameThatWasCutOrChangedAnywhere) {
  TimeNs now = kSecond;
  for (auto frame : {one.data(), one.control(two.self.boot), one.control(BootId{})}) {
    for (std::size_t length = 0; length < frame.size(); ++length) {
      two.keys.begin_turn(now += kGuessesPeriod);
      EXPECT_NE(two.receive(std::span(frame).first(length)), FrameVerdict::Good) << length;
    }
    for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
      two.keys.begin_turn(now += kGuessesPeriod);
      frame[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
      EXPECT_NE(two.receive(frame), FrameVerdict::Good) << bit;
      frame[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    }
    two.keys.begin_turn(now += kGuessesPeriod);
    EXPECT_EQ(two.receive(frame), FrameVerdict::Good);
  }
}

TEST_F(FrameSeal, TellsWhyAFrameIsNotForIt) {
  auto other_version = one.data();
  other_version[1] = std::byte{9};
  EXPECT_EQ(two.receive(other_version), FrameVerdict::OtherVersion);

  EXPECT_EQ(one.receive(one.data()), FrameVerdict::OwnNode);
  EXPECT_EQ(two.receive(one.control(samples::boot(77))), FrameVerdict::OtherReceiver);

  Node stranger(0, "c", {9, samples::boot(9)});
  stranger.keys.install(samples::view(1), kMembers);
  EXPECT_EQ(two.receive(stranger.data()), FrameVerdict::UnknownSender);
  EXPECT_EQ(two.receive(stranger.control(BootId{})), FrameVerdict::UnknownSender);

  Node elsewhere(0, "another cluster");
  elsewhere.keys.install(samples::view(1), kMembers);
  EXPECT_EQ(two.receive(elsewhere.data()), FrameVerdict::UnknownKey);
  EXPECT_EQ(two.receive(elsewhere.control(BootId{})), FrameVerdict::UnknownKey);

  one.keys.install(samples::view(2), kMembers);
  EXPECT_EQ(two.receive(one.data()), FrameVerdict::UnknownKey);
}

TEST_F(FrameSeal, RecognisesFramesOfTheViewThatIsBeingMade) {
  one.keys.install(samples::view(2), kMembers);
  const auto before = one.data();
  const auto after = one.data();

  two.keys.prepare(samples::view(2), kMembers);
  ASSERT_EQ(two.receive(before), FrameVerdict::Good);
  EXPECT_EQ(two.checked.key->use, KeyUse::NextView);

  // Installing it keeps what was marked as taken.
  two.keys.install(samples::view(2), kMembers);
  EXPECT_EQ(two.receive(before), FrameVerdict::Replayed);
  ASSERT_EQ(two.receive(after), FrameVerdict::Good);
  EXPECT_EQ(two.checked.key->use, KeyUse::View);
}

TEST_F(FrameSeal, NeverUsesANonceTwiceUnderOneKey) {
  const auto first = decode(one.data());
  one.keys.install(samples::view(2), kMembers);
  (void)one.data();
  one.keys.install(samples::view(1), kMembers);
  const auto again = decode(one.data());

  EXPECT_EQ(first->key_tag, again->key_tag);
  EXPECT_LT(first->counter, again->counter);
}

// Deriving a key for a stranger costs microseconds, so a millisecond bears only so many of them,
// however short the turns are.
TEST_F(FrameSeal, GuessesAFewStrangersAtATime) {
  const auto hello = one.control(BootId{});
  two.keys.begin_turn(kSecond);
  for (int i = 0; i < 100; ++i) {
    auto forged = hello;
    forged[12] ^= static_cast<std::byte>(i + 1);
    EXPECT_EQ(two.receive(forged), FrameVerdict::UnknownKey);
  }
  two.keys.begin_turn(kSecond + kGuessesPeriod - 1);
  EXPECT_EQ(two.receive(hello), FrameVerdict::UnknownKey);

  two.keys.begin_turn(kSecond + kGuessesPeriod);

  EXPECT_EQ(two.receive(hello), FrameVerdict::Good);
}

TEST_F(FrameSeal, ForgetsTheIncarnationThatWasUnusedForLongest) {
  std::vector<std::unique_ptr<Node>> incarnations;
  for (std::uint8_t i = 0; i < 6; ++i) {
    incarnations.push_back(std::make_unique<Node>(0, "c", Member{1, samples::boot(100 + i)}));
    EXPECT_EQ(two.receive(incarnations.back()->control(BootId{})), FrameVerdict::Good);
    EXPECT_TRUE(two.checked.guessed);
    // The first one goes on talking, so it is never the one that is forgotten.
    EXPECT_EQ(two.receive(incarnations.front()->control(BootId{})), FrameVerdict::Good);
    EXPECT_FALSE(two.checked.guessed);
  }
}

// Hellos of the past can be copied by anybody who saw them.
TEST_F(FrameSeal, NeverForgetsAMemberForTheIncarnationsBeforeIt) {
  ASSERT_EQ(two.receive(one.control(BootId{})), FrameVerdict::Good);

  for (std::uint8_t i = 0; i < 6; ++i) {
    Node before(0, "c", Member{1, samples::boot(100 + i)});
    ASSERT_EQ(two.receive(before.control(BootId{})), FrameVerdict::Good);
  }

  ASSERT_EQ(two.receive(one.control(BootId{})), FrameVerdict::Good);
  EXPECT_FALSE(two.checked.guessed);
}

// Whatever the counter's distance, each is taken once, and what is older than the window never.
TEST_F(FrameSeal, TakesTheLast4096InAnyOrderAndNothingOlder) {
  std::vector<std::vector<std::byte>> sealed;
  for (std::size_t i = 0; i <= ReplayWindow::kCounters; ++i) sealed.push_back(one.data());

  EXPECT_EQ(two.receive(sealed.back()), FrameVerdict::Good);
  EXPECT_EQ(two.receive(sealed[0]), FrameVerdict::Replayed);  // 4096 before the newest.
  for (std::size_t i = sealed.size() - 2; i > 0; --i) {
    ASSERT_EQ(two.receive(sealed[i]), FrameVerdict::Good) << i;
  }
  for (const auto& frame : sealed) ASSERT_EQ(two.receive(frame), FrameVerdict::Replayed);
}

// A forger must not be able to push the window ahead and have good frames taken for replays.
TEST_F(FrameSeal, MovesNoWindowForAForgedCounter) {
  auto forged = one.data();
  const auto good = one.data();
  forged[22] = std::byte{1};  // The counter is some 2^48 now.
  EXPECT_EQ(two.receive(forged), FrameVerdict::BadTag);

  EXPECT_EQ(two.receive(good), FrameVerdict::Good);
}

// A boot id that was not heard before derives another key; the tag of a known one does not fit it.
TEST_F(FrameSeal, KeepsIncarnationsApart) {
  Node reborn(0, "c", Member{1, samples::boot(99)});
  reborn.keys.install(samples::view(1), kMembers);
  EXPECT_EQ(two.receive(reborn.data()), FrameVerdict::UnknownKey) << "it is no member";

  auto hello = reborn.control(BootId{});
  ASSERT_EQ(two.receive(one.control(BootId{})), FrameVerdict::Good);
  std::copy_n(one.control(BootId{}).begin() + 32, 16, hello.begin() + 32);
  EXPECT_EQ(two.receive(hello), FrameVerdict::UnknownKey) << "under another's boot id";
}

// What goes out around a payload that is not copied is what would have gone out with it.
TEST(FrameSealAround, WritesTheBytesOfTheCopiedFrame) {
  for (const std::size_t length : {0U, 1U, 7U, 8U, 31U, 512U, 976U, 1001U}) {
    SCOPED_TRACE(length);
    Node copying(0, "c", {}, Cipher::Insecure);
    Node leaving(0, "c", {}, Cipher::Insecure);
    for (Node* node : {&copying, &leaving}) {
      node->keys.install(samples::view(1), kMembers);
      node->sealer.say_links_heard(2);
      node->payload.resize(length);
      for (std::size_t i = 0; i < length; ++i) node->payload[i] = static_cast<std::byte>(i * 7);
    }
    for (int frame = 0; frame < 2; ++frame) {
      const std::vector<std::byte> whole = copying.data(1);
      std::array<std::byte, kOverheadBytes> around;

      leaving.sealer.seal_around(FrameType::Ordered, 1, 640, leaving.payload, around);

      std::vector<std::byte> put(around.begin(), around.begin() + kHeaderBytes);
      put.insert(put.end(), leaving.payload.begin(), leaving.payload.end());
      put.insert(put.end(), around.begin() + kHeaderBytes, around.end());
      EXPECT_EQ(put, whole) << frame;
    }
  }
}

// A cipher's payload cannot go out as it lies.
TEST(FrameSealAroundDeathTest, IsRefusedToAClusterThatEncrypts) {
  Node one(0);
  one.keys.install(samples::view(1), kMembers);
  std::array<std::byte, kOverheadBytes> around;
  EXPECT_DEATH(one.sealer.seal_around(FrameType::Ordered, 0, 0, one.payload, around), "");
}

TEST_F(FrameSeal, SaysEveryVerdictInWords) {
  for (std::size_t i = 0; i < kFrameVerdicts; ++i) {
    EXPECT_NE(to_string(static_cast<FrameVerdict>(i)), "corrupt");
  }
}

}  // namespace
}  // namespace phalanx::wire

// Two cluster keys at once, while they are rotated.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/transport_wire/samples.h"
#include "transport/wire/frame_seal.h"

namespace phalanx::wire {
namespace {

constexpr std::uint32_t kOld = 1;
constexpr std::uint32_t kNew = 257;  ///< The same low byte, which is all that a header shows.

const std::vector<Member> kMembers = {{1, samples::boot(1)}, {2, samples::boot(2)}};

ClusterKey cluster_key(std::uint32_t id) {
  ClusterKey key = insecure_cluster_key("key " + std::to_string(id));
  key.id = id;
  return key;
}

struct Node {
  Node(std::size_t rank, std::uint32_t key)
      : keys({.cipher = Cipher::OpenSsl, .self = kMembers[rank], .lanes = 1, .nodes = {1, 2}},
             cluster_key(key)),
        sealer(keys),
        opener(keys) {}

  void hold_both() { keys.hold(cluster_key(kOld), cluster_key(kNew)); }
  void hold_new() { keys.hold(cluster_key(kNew), {}); }

  std::vector<std::byte> data() {
    std::vector<std::byte> frame(500);
    frame.resize(sealer.seal_data(FrameType::Ordered, 0, 0, payload, frame));
    return frame;
  }
  std::vector<std::byte> hello(std::size_t which) {
    std::vector<std::byte> frame(500);
    frame.resize(sealer.seal_control(0, {}, payload, frame, keys.boot_seal(which)));
    return frame;
  }
  std::vector<std::byte> control(const Node& to) {
    std::vector<std::byte> frame(500);
    frame.resize(sealer.seal_control(0, to.keys.self().boot, payload, frame));
    return frame;
  }
  bool hears(std::span<const std::byte> frame) {
    keys.begin_turn(now += kSecond);
    CheckedFrame checked = opener.check(frame);
    std::vector<std::byte> opened(checked.sealed.size());
    return checked.verdict == FrameVerdict::Good && opener.open(checked, opened.data()) &&
           opened == payload;
  }

  KeyTable keys;
  FrameSealer sealer;
  FrameOpener opener;
  TimeNs now = 0;
  std::vector<std::byte> payload = std::vector<std::byte>(50, std::byte{0x5a});
};

TEST(KeyRotation, GoesFromOneKeyToTheNextWithTheView) {
  Node one(0, kOld);
  Node two(1, kOld);
  for (Node* node : {&one, &two}) node->keys.install(samples::view(1), kMembers, kOld);
  const auto before = one.data();

  one.hold_both();
  EXPECT_TRUE(two.hears(one.data())) << "the view goes on under the key it was agreed on with";
  two.hold_both();
  EXPECT_TRUE(two.hears(before)) << "what was in flight is not lost";
  two.keys.prepare(samples::view(2), kMembers, kNew);
  one.keys.install(samples::view(2), kMembers, kNew);
  const auto after = one.data();
  EXPECT_TRUE(two.hears(after)) << "as one of the next view";
  two.keys.install(samples::view(2), kMembers, kNew);
  EXPECT_FALSE(two.hears(after)) << "taken already";

  one.hold_new();
  EXPECT_TRUE(two.hears(one.data()));
  two.hold_new();
  EXPECT_TRUE(two.hears(one.data()));
  EXPECT_TRUE(one.hears(two.data()));
  EXPECT_FALSE(two.keys.holds(kOld));
}

// Of one that was away it is not known which keys it holds. It says hello under all that it has,
// and is answered under the newest of them.
TEST(KeyRotation, FindsOutWhichKeyAPeerHolds) {
  Node old_only(0, kOld);
  Node both(1, kOld);
  both.hold_both();
  EXPECT_TRUE(old_only.hears(both.hello(0)));
  EXPECT_FALSE(old_only.hears(both.hello(1)));
  EXPECT_TRUE(both.hears(old_only.hello(0)));
  EXPECT_TRUE(old_only.hears(both.control(old_only)));

  Node new_only(0, kNew);
  Node again(1, kOld);
  again.hold_both();
  EXPECT_FALSE(new_only.hears(again.hello(0)));
  EXPECT_TRUE(new_only.hears(again.hello(1)));
  EXPECT_TRUE(again.hears(new_only.hello(0)));
  EXPECT_TRUE(new_only.hears(again.control(new_only)));
}

// Frames of the past can be copied by anybody who saw them. What they say about keys is past, too.
TEST(KeyRotation, NeverGoesBackToTheOldKeyForAPeer) {
  Node one(0, kOld);
  const auto long_ago = one.hello(0);
  one.hold_new();
  Node two(1, kOld);
  two.hold_both();
  ASSERT_TRUE(two.hears(one.hello(0)));

  EXPECT_TRUE(two.hears(long_ago));

  EXPECT_TRUE(one.hears(two.control(one)));
}

TEST(KeyRotation, UsesNoNonceTwiceUnderAKeyThatIsHeldAgain) {
  Node one(0, kOld);
  const auto first = decode(one.hello(0));
  one.hold_both();
  (void)one.hello(1);
  one.keys.hold(cluster_key(kOld), {});
  const auto again = decode(one.hello(0));

  EXPECT_EQ(first->key_tag, again->key_tag);
  EXPECT_LT(first->counter, again->counter);
}

// Two files with one id on one host after the other: what the first opened says nothing.
TEST(KeyRotation, ForgetsWhatItLearntUnderAKeyThatWasReplaced) {
  Node one(0, kOld);
  Node two(1, kOld);
  two.hold_both();
  one.hold_both();
  ASSERT_TRUE(two.hears(one.hello(1)));

  ClusterKey other = insecure_cluster_key("another");
  other.id = kNew;
  two.keys.hold(cluster_key(kOld), std::move(other));

  EXPECT_FALSE(two.hears(one.hello(1)));
  EXPECT_TRUE(two.hears(one.hello(0)));
  EXPECT_TRUE(one.hears(two.control(one)));
}

TEST(KeyRotation, NamesKeysWithoutTellingThem) {
  const ClusterKey key = cluster_key(kOld);
  const std::string name = fingerprint(key);

  EXPECT_EQ(name.size(), 16U);
  EXPECT_EQ(name, fingerprint(key.clone()));
  EXPECT_NE(name, fingerprint(cluster_key(kNew)));
}

}  // namespace
}  // namespace phalanx::wire

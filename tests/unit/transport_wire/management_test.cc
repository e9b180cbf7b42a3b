#include "transport/wire/management.h"

#include <gtest/gtest.h>

#include <array>

#include "transport/wire/keys.h"

namespace phalanx::wire {
namespace {

BootId boot(std::uint8_t value) {
  BootId id;
  id.bytes.fill(value);
  return id;
}

ManagementMessage vouch() {
  return {.kind = ManagementKind::Vouch,
          .sealer = {3, boot(7)},
          .counter = 41,
          .worker = boot(9),
          .config_hash = 0x1122334455667788,
          .link_up = true};
}

class Management : public testing::TestWithParam<bool> {
 protected:
  ClusterKey key_ = insecure_cluster_key("test");
  ManagementSeal seal_{key_, GetParam()};
};

TEST_P(Management, OpensWhatItSealed) {
  ManagementMessage down = vouch();
  down.link_up = false;

  for (const ManagementMessage& message : {vouch(), down}) {
    const auto sealed = seal_.seal(message);
    ASSERT_EQ(sealed.size(), kManagementBytes);
    const auto opened = seal_.open(sealed);
    ASSERT_TRUE(opened);
    EXPECT_EQ(*opened, message);
  }
}

ManagementMessage order(std::string text) {
  return {
      .kind = ManagementKind::Order,
      .sealer = {3, boot(7)},
      .counter = 41,
      .order = {
          .kind = OrderWord::Kind::No, .dry = true, .number = 5, .to = 2, .text = std::move(text)}};
}

TEST_P(Management, OrdersHaveOneSizeAndComeThroughWhole) {
  for (const std::size_t length : {std::size_t{0}, std::size_t{9}, kOrderTextBytes}) {
    const ManagementMessage message = order(std::string(length, 'x'));
    const auto sealed = seal_.seal(message);
    ASSERT_EQ(sealed.size(), kOrderBytes);
    const auto opened = seal_.open(sealed);
    ASSERT_TRUE(opened);
    EXPECT_EQ(*opened, message);
    EXPECT_FALSE(seal_.open(std::span(sealed).first(kManagementBytes)));
  }
  const auto cut = seal_.open(seal_.seal(order(std::string(kOrderTextBytes + 9, 'x'))));
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->order.text.size(), kOrderTextBytes);
}

TEST_P(Management, RefusesOrdersThatMakeNoSense) {
  ManagementMessage to_itself = order("");
  to_itself.order.to = 3;
  ManagementMessage to_nobody = order("");
  to_nobody.order.to = 0;
  ManagementMessage unknown = order("");
  unknown.order.kind = static_cast<OrderWord::Kind>(10);
  ManagementMessage unnumbered = order("");
  unnumbered.order.number = 0;

  for (const ManagementMessage& bad : {to_itself, to_nobody, unknown, unnumbered}) {
    const auto opened = seal_.open(seal_.seal(bad));
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error(), ManagementFault::Malformed);
  }
}

TEST_P(Management, RefusesEveryChangedByteAndEveryOtherLength) {
  const auto sealed = seal_.seal(vouch());
  ASSERT_TRUE(seal_.open(sealed));  // The key is known by now: the tag alone decides.

  for (std::size_t i = 0; i < sealed.size(); ++i) {
    for (const std::byte flip : {std::byte{1}, std::byte{0x80}}) {
      auto changed = sealed;
      changed[i] ^= flip;
      EXPECT_FALSE(seal_.open(changed)) << "byte " << i;
    }
  }
  for (std::size_t length = 0; length < sealed.size(); ++length) {
    EXPECT_FALSE(seal_.open(std::span(sealed).first(length))) << "length " << length;
  }
  auto longer = sealed;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(seal_.open(longer));
}

TEST_P(Management, TellsAnotherKeyFromDamage) {
  const ClusterKey other = insecure_cluster_key("other");
  const auto foreign = ManagementSeal(other, GetParam()).seal(vouch());
  auto damaged = seal_.seal(vouch());
  damaged.back() ^= std::byte{1};
  auto newer = seal_.seal(vouch());
  newer[1] = std::byte{2};

  EXPECT_EQ(seal_.open(foreign).error(), ManagementFault::Key);
  EXPECT_EQ(seal_.open(damaged).error(), ManagementFault::Tag);
  EXPECT_EQ(seal_.open(newer).error(), ManagementFault::Version);
}

// Who has to find out why a node stays out needs both sides of what differs.
TEST_P(Management, NamesBothVersionsAndBothKeysOfWhatItRefuses) {
  const ClusterKey other = insecure_cluster_key("other");
  const auto foreign = ManagementSeal(other, GetParam()).seal(vouch());
  auto newer = seal_.seal(vouch());
  newer[1] = std::byte{7};

  const auto keys = seal_.difference(ManagementFault::Key, foreign);
  EXPECT_EQ(keys.theirs, derive_boot_key(other, vouch().sealer).tag);
  EXPECT_EQ(keys.mine, derive_boot_key(key_, vouch().sealer).tag);
  EXPECT_EQ(seal_.difference(ManagementFault::Version, newer), (ManagementDifference{7, 1}));
  EXPECT_EQ(seal_.difference(ManagementFault::Key, std::span(foreign).first(20)),
            ManagementDifference{});
}

TEST_P(Management, SealsAnObituaryThatNamesItsOwnProcess) {
  const auto sealed = seal_obituary(seal_, {3, boot(7)}, 5);

  const auto opened = seal_.open(sealed);

  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->kind, ManagementKind::Obituary);
  EXPECT_EQ(opened->sealer, (Member{3, boot(7)}));
  EXPECT_EQ(opened->worker, boot(7));
}

// A process can only declare itself dead: an obituary for another boot id is no proof of anything.
TEST_P(Management, RefusesAnObituaryForAnybodyElse) {
  ManagementMessage message{
      .kind = ManagementKind::Obituary, .sealer = {3, boot(7)}, .counter = 0, .worker = boot(8)};

  const auto opened = seal_.open(seal_.seal(message));

  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), ManagementFault::Malformed);
}

TEST_P(Management, CarriesTheWordsOfAndToTheQuorumDevice) {
  const DeviceWord word{.nodes = 0x8000000000000001,
                        .sequence = 0x1122334455667788,
                        .representative = 5,
                        .epoch = kEpochMask,
                        .yes = true};
  for (const ManagementKind kind : {ManagementKind::Ask, ManagementKind::Answer}) {
    const NodeId sealer = kind == ManagementKind::Ask ? 3 : kDeviceNode;
    const ManagementMessage message{
        .kind = kind, .sealer = {sealer, boot(7)}, .counter = 1, .config_hash = 9, .device = word};
    const auto opened = seal_.open(seal_.seal(message));
    ASSERT_TRUE(opened);
    EXPECT_EQ(*opened, message);
  }
}

TEST_P(Management, RefusesADeviceThatIsANodeAndWordsOfNoView) {
  const ManagementMessage good{.kind = ManagementKind::Ask,
                               .sealer = {3, boot(7)},
                               .counter = 1,
                               .config_hash = 9,
                               .device = {.nodes = 1, .sequence = 1, .representative = 1}};
  ASSERT_TRUE(seal_.open(seal_.seal(good)));
  std::array<ManagementMessage, 5> bad{good, good, good, good, good};
  bad[0].kind = ManagementKind::Answer;
  bad[1].sealer.node = kDeviceNode;
  bad[2].counter = 0;
  bad[3].device.nodes = 0;
  bad[4].device.sequence = 0;
  for (const ManagementMessage& message : bad) {
    const auto opened = seal_.open(seal_.seal(message));
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error(), ManagementFault::Malformed);
  }
}

INSTANTIATE_TEST_SUITE_P(SealedAndInsecure, Management, testing::Bool());

}  // namespace
}  // namespace phalanx::wire

#include "controlplane/daemon/peer_book.h"

#include <gtest/gtest.h>

#include <array>

namespace phalanx::controlplane {
namespace {

constexpr std::uint64_t kHash = 77;
constexpr TimeNs kSilence = 50;
constexpr std::array<NodeId, 2> kPeers{2, 3};

BootId boot(std::uint8_t value) {
  BootId id;
  id.bytes[0] = value;
  return id;
}

wire::ManagementMessage vouch(NodeId node, std::uint8_t process, std::uint64_t counter) {
  return {.kind = wire::ManagementKind::Vouch,
          .sealer = {node, boot(process)},
          .counter = counter,
          .worker = boot(200),
          .config_hash = kHash,
          .link_up = true};
}

TEST(PeerBook, TakesAVouchOnlyOnce) {
  PeerBook book(kPeers, kHash, kSilence);

  EXPECT_EQ(book.judge(vouch(2, 1, 5), 10), BookVerdict::Vouched);
  EXPECT_EQ(book.judge(vouch(2, 1, 5), 20), BookVerdict::Replayed);
  EXPECT_EQ(book.judge(vouch(2, 1, 4), 30), BookVerdict::Replayed);

  EXPECT_EQ(book.find(2)->vouched_at, 10U);
}

TEST(PeerBook, KeepsWhyAPeerIsOutUntilItVouchesAsItShould) {
  PeerBook book(kPeers, kHash, kSilence);
  wire::ManagementMessage other = vouch(2, 1, 1);
  other.config_hash = 5;

  book.refuse(2, Refusal::Reason::ClusterKey, {8, 9});
  book.refuse(2, Refusal::Reason::ClusterKey, {10, 11});
  EXPECT_EQ(book.find(2)->refusal->count, 2U);
  EXPECT_EQ(book.find(2)->refusal->theirs, 10U);

  EXPECT_EQ(book.judge(other, 10), BookVerdict::OtherConfig);
  EXPECT_EQ(book.find(2)->refusal->reason, Refusal::Reason::ConfigHash);
  EXPECT_EQ(book.find(2)->refusal->theirs, 5U);
  EXPECT_EQ(book.find(2)->refusal->mine, kHash);
  EXPECT_EQ(book.find(2)->refusal->count, 1U);

  EXPECT_EQ(book.judge(vouch(2, 1, 2), 20), BookVerdict::Vouched);
  EXPECT_FALSE(book.find(2)->refusal);

  book.refuse(99, Refusal::Reason::ClusterKey, {});
  EXPECT_EQ(book.find(99), nullptr);
}

TEST(PeerBook, FollowsARestartedControlPlaneAndNeverGoesBack) {
  PeerBook book(kPeers, kHash, kSilence);
  ASSERT_EQ(book.judge(vouch(2, 1, 5), 10), BookVerdict::Vouched);

  EXPECT_EQ(book.judge(vouch(2, 9, 1), 60), BookVerdict::Vouched);
  EXPECT_EQ(book.judge(vouch(2, 1, 5), 200), BookVerdict::Replayed);

  EXPECT_EQ(book.find(2)->control_plane, boot(9));
}

// A copy of what an earlier control plane said long ago is new to a book that was just opened.
TEST(PeerBook, LetsNobodyTakeThePlaceOfAControlPlaneThatIsHeard) {
  PeerBook book(kPeers, kHash, kSilence);
  ASSERT_EQ(book.judge(vouch(2, 1, 5), 10), BookVerdict::Vouched);

  EXPECT_EQ(book.judge(vouch(2, 9, 100), 20), BookVerdict::Replayed);

  EXPECT_EQ(book.judge(vouch(2, 1, 6), 30), BookVerdict::Vouched);
}

TEST(PeerBook, TakesBackOneThatWasTakenForDead) {
  PeerBook book(kPeers, kHash, kSilence);
  ASSERT_EQ(book.judge(vouch(2, 1, 5), 10), BookVerdict::Vouched);
  ASSERT_EQ(book.judge(vouch(2, 9, 100), 60), BookVerdict::Vouched);

  EXPECT_EQ(book.judge(vouch(2, 1, 6), 110), BookVerdict::Vouched);
}

TEST(PeerBook, ListensToConfiguredPeersOnly) {
  PeerBook book(kPeers, kHash, kSilence);

  EXPECT_EQ(book.judge(vouch(7, 1, 1), 10), BookVerdict::Stranger);
}

TEST(PeerBook, KeepsAnotherConfigurationOutAndRemembersItsHash) {
  PeerBook book(kPeers, kHash, kSilence);
  wire::ManagementMessage message = vouch(3, 1, 1);
  message.config_hash = 78;

  EXPECT_EQ(book.judge(message, 10), BookVerdict::OtherConfig);

  EXPECT_EQ(book.find(3)->config_hash, 78U);
  EXPECT_EQ(book.find(3)->vouched_at, 0U);
}

TEST(PeerBook, TellsALinkThatIsDownFromAVouch) {
  PeerBook book(kPeers, kHash, kSilence);
  wire::ManagementMessage message = vouch(3, 1, 1);
  message.link_up = false;

  EXPECT_EQ(book.judge(message, 10), BookVerdict::LinkDown);
}

// Only the dead process itself could seal it, so a copy is as true as the first one.
TEST(PeerBook, BelievesAnObituaryHoweverOftenItComes) {
  PeerBook book(kPeers, kHash, kSilence);
  wire::ManagementMessage message{
      .kind = wire::ManagementKind::Obituary, .sealer = {2, boot(200)}, .worker = boot(200)};

  EXPECT_EQ(book.judge(message, 10), BookVerdict::Dead);
  EXPECT_EQ(book.judge(message, 20), BookVerdict::Dead);
  message.worker = boot(201);
  EXPECT_EQ(book.judge(message, 30), BookVerdict::Stranger);
}

}  // namespace
}  // namespace phalanx::controlplane

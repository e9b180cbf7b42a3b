#include "controlplane/security/acl.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/base/fd.h"

namespace phalanx::security {
namespace {

PeerCredentials peer(std::uint32_t uid, std::uint32_t gid, std::vector<std::uint32_t> groups = {}) {
  return {.pid = 1, .uid = uid, .gid = gid, .groups = std::move(groups)};
}

TEST(Acl, AlwaysAdmitsRootAndItsOwnUser) {
  const Acl acl(/*own_uid=*/500, {}, {});

  EXPECT_TRUE(acl.may_attach(peer(0, 0)));
  EXPECT_TRUE(acl.may_attach(peer(500, 500)));
  EXPECT_FALSE(acl.may_attach(peer(501, 500)));
}

TEST(Acl, AdmitsListedUsersAndGroupsSupplementaryOnesIncluded) {
  const Acl acl(/*own_uid=*/0, {1000}, {44});

  EXPECT_TRUE(acl.may_attach(peer(1000, 7)));
  EXPECT_TRUE(acl.may_attach(peer(1001, 44)));
  EXPECT_TRUE(acl.may_attach(peer(1001, 7, {9, 44})));
  EXPECT_FALSE(acl.may_attach(peer(1001, 7, {9, 45})));
}

TEST(Acl, LetsNoListedClientGiveOrders) {
  const Acl acl(/*own_uid=*/500, {1000}, {44});

  EXPECT_FALSE(acl.may_administer(peer(1000, 44)));
  EXPECT_TRUE(acl.may_administer(peer(0, 0)));
  EXPECT_TRUE(acl.may_administer(peer(500, 1)));
}

TEST(Acl, TellsWhetherTheSocketMustBeOpenToOthers) {
  EXPECT_FALSE(Acl(500, {}, {}).lists_others());
  EXPECT_FALSE(Acl(500, {0, 500}, {}).lists_others());
  EXPECT_TRUE(Acl(500, {501}, {}).lists_others());
  EXPECT_TRUE(Acl(500, {}, {7}).lists_others());
}

TEST(PeerCredentials, AreThoseOfTheProcessThatConnected) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const Fd here(pair[0]);
  const Fd there(pair[1]);

  const auto credentials = peer_credentials(here.get());

  ASSERT_TRUE(credentials);
  EXPECT_EQ(credentials->pid, static_cast<std::uint32_t>(getpid()));
  EXPECT_EQ(credentials->uid, getuid());
}

}  // namespace
}  // namespace phalanx::security

#include "controlplane/daemon/client_registry.h"

#include <gtest/gtest.h>

namespace phalanx::controlplane {
namespace {

TEST(ClientRegistry, KeepsRoomForOthersFromAUserWhoIsNotPrivileged) {
  ClientRegistry clients(4);
  clients.attached(1, {.pid = 10, .uid = 1000});
  clients.attached(2, {.pid = 11, .uid = 1000});

  EXPECT_FALSE(clients.has_room_for(1000, /*privileged=*/false));
  EXPECT_TRUE(clients.has_room_for(1001, /*privileged=*/false));
  EXPECT_TRUE(clients.has_room_for(1000, /*privileged=*/true));
}

TEST(ClientRegistry, IsFullForEverybodyAtItsMaximum) {
  ClientRegistry clients(2);
  clients.attached(1, {.pid = 10, .uid = 0});
  clients.attached(2, {.pid = 11, .uid = 0});

  EXPECT_FALSE(clients.has_room_for(0, /*privileged=*/true));
}

TEST(ClientRegistry, CountsEachClientOnceHoweverOftenItIsReported) {
  ClientRegistry clients(4);
  clients.attached(1, {.pid = 10, .uid = 1000});
  clients.attached(1, {.pid = 10, .uid = 1000});

  clients.detached(1);
  clients.detached(1);

  EXPECT_TRUE(clients.clients().empty());
  EXPECT_TRUE(clients.has_room_for(1000, /*privileged=*/false));
}

}  // namespace
}  // namespace phalanx::controlplane

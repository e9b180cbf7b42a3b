#include <gtest/gtest.h>

#include "tests/unit/dataplane_worker/test_node.h"

namespace phalanx::worker::testing {
namespace {

// To borrow a burst that is not used takes longer than all the rest of an idle turn.
TEST(Frames, AsksForFewBuffersUnlessItHasMuchToSend) {
  TestCluster c(2);
  c.change_view({0, 1});
  TestClient a(c[0].attach(1));
  TestClient b(c[1].attach(2));
  a.join("chat");
  b.join("chat");
  c.turn(100);
  (void)b.read();
  const auto most_asked_in = [&](std::size_t turns) {
    c.wire.end(1).most_asked = 0;
    c.turn(turns);
    return c.wire.end(1).most_asked;
  };
  EXPECT_LE(most_asked_in(100), 4U);

  const std::string text(1000, 'x');
  std::size_t sent = 0;
  while (sent < 30 && a.send("chat", text)) ++sent;
  EXPECT_EQ(most_asked_in(2), 64U);
  c.turn(100);
  EXPECT_EQ(messages(b.read()).size(), sent);
  EXPECT_LE(most_asked_in(100), 4U);

  c.wire.end(1).most_asked = 0;
  c.change_view({0, 1});
  EXPECT_EQ(c.wire.end(1).most_asked, 64U) << "a recovery asks every holder at once";
}

}  // namespace
}  // namespace phalanx::worker::testing

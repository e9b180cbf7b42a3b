#include <gtest/gtest.h>

#include "config/explain.h"
#include "tests/unit/config/support.h"

namespace phalanx::config {
namespace {

TEST(BusyPoll, IsATimeInMicroseconds) {
  EXPECT_EQ(parse_with("").value().transport.busy_poll, 0U);
  const Config config = parse_with("[transport]\nbusy_poll = \"50us\"\n").value();
  EXPECT_EQ(config.transport.busy_poll, 50'000U);
  EXPECT_NE(show(config).find("busy_poll = \"50us\""), std::string::npos);
  EXPECT_NE(errors_of("[transport]\nbusy_poll = \"1500ns\"\n").find("no number of microseconds"),
            std::string::npos);
  EXPECT_NE(errors_of("[transport]\nbusy_poll = \"2ms\"\n"), "");
}

TEST(BusyPoll, IsRefusedWhereNothingGoesThroughTheKernel) {
  const std::string said = errors_of("[transport]\nkind = \"dpdk\"\nbusy_poll = \"50us\"\n");
  EXPECT_NE(said.find("nothing goes through the kernel's sockets"), std::string::npos) << said;
}

}  // namespace
}  // namespace phalanx::config

#include <gtest/gtest.h>

#include "tests/unit/config/support.h"

namespace phalanx::config {
namespace {

std::string with(const std::string& log, const std::string& message = "1MiB") {
  return "[cluster]\nmax_message = \"" + message + "\"\n[client]\nshared_log = \"" + log + "\"\n" +
         "[lane]\nlog = \"64MiB\"\n";
}

TEST(Clients, ShareALogThatHoldsSomeMessages) {
  EXPECT_EQ(parse_with("").value().client.shared_log, 0U) << "none unless it is asked for";
  EXPECT_EQ(parse_with(with("4MiB")).value().client.shared_log, 4U << 20);
  EXPECT_EQ(parse_with(with("0B")).value().client.shared_log, 0U);

  const std::string said = errors_of(with("2MiB"));
  EXPECT_NE(said.find("client.shared_log (2MiB) is smaller than 4MiB"), std::string::npos) << said;
  EXPECT_NE(said.find("at least 4MiB"), std::string::npos) << said;
}

// A reader that looks at one of the longest messages must not be overrun by the next.
TEST(Clients, ShareALogOfFourOfTheLongestMessages) {
  const std::string said = errors_of(with("8MiB", "4MiB"));
  EXPECT_NE(said.find("4 x cluster.max_message (4MiB)"), std::string::npos) << said;
  EXPECT_NE(said.find("at least 16MiB"), std::string::npos) << said;
  EXPECT_EQ(errors_of(with("16MiB", "4MiB")), "");
}

}  // namespace
}  // namespace phalanx::config

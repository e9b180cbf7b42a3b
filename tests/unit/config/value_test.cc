#include "config/value.h"

#include <gtest/gtest.h>

namespace phalanx::config {
namespace {

TEST(Size, NeedsAUnit) {
  EXPECT_EQ(parse_size("16MiB").value(), 16 << 20);
  EXPECT_EQ(parse_size("1500B").value(), 1500);
  EXPECT_EQ(parse_size("2 GiB").value(), 2LL << 30);
  EXPECT_EQ(parse_size("16").error(), "has no unit");
  EXPECT_EQ(parse_size("16MB").error(), "has the unknown unit \"MB\"");
  EXPECT_EQ(parse_size("1.5MiB").error(), "is not a whole number");
  EXPECT_EQ(parse_size("MiB").error(), "does not begin with a whole number");
  EXPECT_EQ(parse_size("").error(), "does not begin with a whole number");
  EXPECT_EQ(parse_size("-1B").error(), "is negative");
}

TEST(Size, ThatDoesNotFitIsTooLarge) {
  EXPECT_EQ(parse_size("99999999999999999999B").error(), "is too large a number");
  EXPECT_EQ(parse_size("9999999999999GiB").error(), "is too large a number");
}

TEST(Duration, NeedsAUnit) {
  EXPECT_EQ(parse_duration("250ms").value(), 250'000'000);
  EXPECT_EQ(parse_duration("2min").value(), 120'000'000'000);
  EXPECT_EQ(parse_duration("7us").value(), 7'000);
  EXPECT_EQ(parse_duration("7ns").value(), 7);
  EXPECT_EQ(parse_duration("50").error(), "has no unit");
  EXPECT_EQ(parse_duration("50msec").error(), "has the unknown unit \"msec\"");
}

TEST(Format, UsesTheLargestUnitThatDivides) {
  EXPECT_EQ(format_size(16 << 20), "16MiB");
  EXPECT_EQ(format_size(1500), "1500B");
  EXPECT_EQ(format_size(0), "0B");
  EXPECT_EQ(format_duration(1'500'000'000), "1500ms");
  EXPECT_EQ(format_duration(60'000'000'000), "1min");
}

TEST(Endpoint, IsANumericAddressAndAPort) {
  EXPECT_EQ(to_string(parse_endpoint("10.0.0.1:5405").value()), "10.0.0.1:5405");
  EXPECT_EQ(to_string(parse_endpoint("[fd00::1]:1").value()), "[fd00::1]:1");
  EXPECT_TRUE(parse_endpoint("[::1]:5405").value().is_ipv6);
  EXPECT_EQ(parse_endpoint("10.0.0.1").error(), "has no port");
  EXPECT_EQ(parse_endpoint("10.0.0.1:0").error(), "has the port \"0\", which is not 1 to 65535");
  EXPECT_EQ(parse_endpoint("10.0.0.1:65536").error(),
            "has the port \"65536\", which is not 1 to 65535");
  EXPECT_EQ(parse_endpoint("10.0.0.1:54x").error(),
            "has the port \"54x\", which is not 1 to 65535");
  EXPECT_EQ(parse_endpoint("localhost:5405").error(),
            "holds \"localhost\", which is not a numeric IPv4 address");
  EXPECT_EQ(parse_endpoint("::1:5405").error(),
            "is an IPv6 address without brackets, or has no port");
}

TEST(Endpoint, KnowsGroupsAndWildcards) {
  EXPECT_TRUE(is_multicast(parse_endpoint("239.1.2.3:1").value()));
  EXPECT_TRUE(is_multicast(parse_endpoint("[ff02::1]:1").value()));
  EXPECT_FALSE(is_multicast(parse_endpoint("10.1.2.3:1").value()));
  EXPECT_TRUE(is_wildcard(parse_endpoint("0.0.0.0:1").value()));
  EXPECT_TRUE(is_wildcard(parse_endpoint("[::]:1").value()));
  EXPECT_FALSE(is_wildcard(parse_endpoint("[::1]:1").value()));
}

TEST(Name, IsSafeAsADirectory) {
  EXPECT_TRUE(is_name("n1"));
  EXPECT_TRUE(is_name("rack-2.node_7"));
  EXPECT_FALSE(is_name(""));
  EXPECT_FALSE(is_name(".."));
  EXPECT_FALSE(is_name("a/b"));
  EXPECT_FALSE(is_name(std::string(64, 'x')));
}

}  // namespace
}  // namespace phalanx::config

#include "ipc/shm/group_id.h"

#include <gtest/gtest.h>

#include <string>

namespace phalanx::shm {
namespace {

std::string hex_sha256(const std::string& text) {
  std::uint8_t digest[32];
  sha256(text.data(), text.size(), digest);
  std::string out;
  for (const std::uint8_t byte : digest) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

// The vectors of FIPS 180-4; the lengths around 56 and 64 take both ways of padding.
TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(hex_sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex_sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex_sha256(std::string(64, 'a')),
            "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
  EXPECT_EQ(hex_sha256(std::string(128, 'a')),
            "6836cf13bac400e9105071cd6af47084dfacad4e5e302c94bfed24e013afb73e");
}

TEST(GroupId, IsTheFirstEightBytesLittleEndian) {
  EXPECT_EQ(group_id("abc", 3), 0xeacf018fbf1678baull);
}

}  // namespace
}  // namespace phalanx::shm

#include "transport/wire/header.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace phalanx::wire {
namespace {

constexpr FrameHeader kSample{.type = FrameType::Submit,
                              .key_id = 9,
                              .lane = 7,
                              .links_heard = 2,
                              .sender = 0x01020304,
                              .key_tag = 0xa1b2c3d4,
                              .counter = 0x1122334455667788,
                              .position = 0x99aabbccddeeff00};

std::vector<std::byte> frame_of(const FrameHeader& header) {
  std::vector<std::byte> frame(kOverheadBytes);
  encode(header, std::span<std::byte, kHeaderBytes>(frame.data(), kHeaderBytes));
  return frame;
}

TEST(Header, ComesBackAsItWasWritten) {
  const std::vector<std::byte> frame = frame_of(kSample);

  const auto header = decode(frame);

  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->type, kSample.type);
  EXPECT_EQ(header->key_id, kSample.key_id);
  EXPECT_EQ(header->lane, kSample.lane);
  EXPECT_EQ(header->links_heard, kSample.links_heard);
  EXPECT_EQ(header->sender, kSample.sender);
  EXPECT_EQ(header->key_tag, kSample.key_tag);
  EXPECT_EQ(header->counter, kSample.counter);
  EXPECT_EQ(header->position, kSample.position);
}

TEST(Header, IsRefusedWhenTheFrameHasNoRoomForHeaderAndTag) {
  const std::vector<std::byte> frame = frame_of(kSample);

  for (std::size_t length = 0; length < kOverheadBytes; ++length) {
    EXPECT_FALSE(decode(std::span(frame).first(length))) << length;
  }
}

TEST(Header, IsRefusedWhenMagicVersionTypeLaneReserveOrSenderAreNotOurs) {
  struct Case {
    std::size_t offset;
    int value;
  };
  for (const Case c : {Case{0, 0}, Case{1, 2}, Case{2, 0}, Case{2, 8}, Case{2, 33}, Case{5, 1},
                       Case{4, 8}, Case{6, 4}, Case{7, 1}}) {
    std::vector<std::byte> frame = frame_of(kSample);
    frame[c.offset] = static_cast<std::byte>(c.value);
    EXPECT_FALSE(decode(frame)) << c.offset;
  }
  FrameHeader nobody = kSample;
  nobody.sender = 0;
  EXPECT_FALSE(decode(frame_of(nobody)));
}

}  // namespace
}  // namespace phalanx::wire

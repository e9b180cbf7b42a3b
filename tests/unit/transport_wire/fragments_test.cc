#include "transport/wire/fragments.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/transport_wire/samples.h"

namespace phalanx::wire {
namespace {

const Member kSender{1, samples::boot(1)};
const Member kOther{2, samples::boot(2)};

std::vector<std::byte> pattern(std::size_t bytes) {
  std::vector<std::byte> out(bytes);
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<std::byte>(i * 31);
  return out;
}

std::vector<std::vector<std::byte>> cut(std::span<const std::byte> message, std::uint32_t number,
                                        std::size_t room) {
  std::vector<std::vector<std::byte>> out;
  for (std::size_t i = 0; i < fragments_of(message.size(), room); ++i) {
    out.emplace_back(room);
    out.back().resize(encode_fragment(MessageKind::Plan, number, i, message, out.back()));
  }
  return out;
}

std::optional<Reassembler::Message> take(Reassembler& to, const Member& sender,
                                         std::span<const std::byte> bytes) {
  const auto fragment = decode_fragment(bytes);
  EXPECT_TRUE(fragment.has_value());
  return fragment ? to.take(sender, *fragment) : std::nullopt;
}

TEST(Fragments, ComeTogetherInAnyOrder) {
  for (const unsigned length : {0U, 1U, 90U, 91U, 92U, 182U, 1000U}) {
    const std::vector<std::byte> message = pattern(length);
    auto parts = cut(message, 1, 100);
    std::reverse(parts.begin(), parts.end());
    Reassembler reassembler;

    std::optional<Reassembler::Message> whole;
    for (const auto& part : parts) {
      EXPECT_FALSE(whole);
      whole = take(reassembler, kSender, part);
    }

    ASSERT_TRUE(whole) << length;
    EXPECT_EQ(whole->bytes, message);
    EXPECT_EQ(whole->kind, MessageKind::Plan);
    EXPECT_EQ(reassembler.bytes_held(), 0U);
  }
}

TEST(Fragments, OfDifferentSendersDoNotMix) {
  const auto one = cut(pattern(150), 1, 100);
  const auto two = cut(pattern(160), 1, 100);
  Reassembler reassembler;

  EXPECT_FALSE(take(reassembler, kSender, one[0]));
  EXPECT_FALSE(take(reassembler, kOther, two[0]));

  EXPECT_EQ(take(reassembler, kOther, two[1])->bytes, pattern(160));
  EXPECT_EQ(take(reassembler, kSender, one[1])->bytes, pattern(150));
}

TEST(Fragments, OfANewerMessageReplaceAnOlderOne) {
  const auto old = cut(pattern(150), 1, 100);
  const auto fresh = cut(pattern(160), 2, 100);
  Reassembler reassembler;

  EXPECT_FALSE(take(reassembler, kSender, old[0]));
  EXPECT_FALSE(take(reassembler, kSender, fresh[0]));
  EXPECT_FALSE(take(reassembler, kSender, old[1]));

  EXPECT_EQ(take(reassembler, kSender, fresh[1])->bytes, pattern(160));
  EXPECT_EQ(reassembler.refused(), 1U);
}

TEST(Fragments, OfACompletedMessageAreNotTakenAgain) {
  const auto parts = cut(pattern(150), 1, 100);
  Reassembler reassembler;
  EXPECT_FALSE(take(reassembler, kSender, parts[0]));
  EXPECT_TRUE(take(reassembler, kSender, parts[1]));

  EXPECT_FALSE(take(reassembler, kSender, parts[0]));
  EXPECT_FALSE(take(reassembler, kSender, parts[1]));

  EXPECT_EQ(reassembler.refused(), 2U);
}

TEST(Fragments, AreCountedOnceEach) {
  const auto parts = cut(pattern(150), 1, 100);
  Reassembler reassembler;

  EXPECT_FALSE(take(reassembler, kSender, parts[0]));
  EXPECT_FALSE(take(reassembler, kSender, parts[0]));

  EXPECT_TRUE(take(reassembler, kSender, parts[1]));
}

TEST(Fragments, WithHostileFieldsAreRefused) {
  const std::vector<std::byte> good = cut(pattern(150), 1, 100)[0];
  ASSERT_TRUE(decode_fragment(good));
  const auto with = [&](std::size_t offset, int value) {
    std::vector<std::byte> bytes = good;
    bytes[offset] = static_cast<std::byte>(value);
    return bytes;
  };

  EXPECT_FALSE(decode_fragment(with(4, 2)));     // index 2 of 2
  EXPECT_FALSE(decode_fragment(with(6, 0)));     // no fragments
  EXPECT_FALSE(decode_fragment(with(7, 0x80)));  // more than there can be
  EXPECT_FALSE(decode_fragment(with(8, 0)));     // no such kind
  EXPECT_FALSE(decode_fragment(with(8, 7)));
  EXPECT_FALSE(decode_fragment(std::span(good).first(kFragmentHeaderBytes)));
  EXPECT_FALSE(decode_fragment(std::span(good).first(kFragmentHeaderBytes - 1)));
}

TEST(Fragments, OfOneMessageAgreeOnItsCountAndKind) {
  auto parts = cut(pattern(150), 1, 100);
  Reassembler reassembler;
  EXPECT_FALSE(take(reassembler, kSender, parts[0]));
  parts[1][8] = static_cast<std::byte>(MessageKind::Report);

  EXPECT_FALSE(take(reassembler, kSender, parts[1]));

  EXPECT_EQ(reassembler.refused(), 1U);
}

TEST(Reassembler, NeverHoldsMoreThanItsBound) {
  constexpr std::size_t kBound = 20'000;
  Reassembler reassembler(4, kBound);

  for (NodeId node = 1; node <= 50; ++node) {
    for (std::uint32_t number = 1; number <= 3; ++number) {
      const auto parts = cut(pattern(9000), number, 1000);
      for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        EXPECT_FALSE(take(reassembler, {node, samples::boot(1)}, parts[i]));
        ASSERT_LE(reassembler.bytes_held(), kBound);
      }
    }
  }

  EXPECT_GT(reassembler.refused(), 0U);
}

TEST(Reassembler, CarriesTheLongestMessage) {
  const std::vector<std::byte> message = pattern(kMessageBytesMax);
  Reassembler reassembler;
  std::optional<Reassembler::Message> whole;

  for (const auto& part : cut(message, 1, 1200)) whole = take(reassembler, kSender, part);

  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->bytes, message);
}

}  // namespace
}  // namespace phalanx::wire

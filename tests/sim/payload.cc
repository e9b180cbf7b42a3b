#include "tests/sim/payload.h"

#include <array>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "ipc/base/bytes.h"
#include "ipc/replica/wire.h"
#include "transport/sim/random.h"

namespace phalanx::sim {
namespace {

constexpr std::uint64_t word_at(std::uint64_t content, std::size_t i) noexcept {
  const std::uint64_t x = (content + i) * 0x9E3779B97F4A7C15ull;
  return x ^ (x >> 29);
}

struct JoinPayload {
  std::array<std::byte, 48> bytes{};
  std::size_t length = 0;
};

JoinPayload join_payload(const Submission& submission) noexcept {
  JoinPayload out;
  std::array<char, 40> name;
  const int length = std::snprintf(name.data(), name.size(), "group-%016llx",
                                   static_cast<unsigned long long>(submission.group));
  store_le<std::uint32_t>(out.bytes.data(), 1000 + submission.client);
  std::memcpy(out.bytes.data() + 4, name.data(), static_cast<std::size_t>(length));
  out.length = 4 + static_cast<std::size_t>(length);
  return out;
}

}  // namespace

GroupId group_of(std::uint32_t number) noexcept { return transport::mix64(number + 77); }

std::size_t join_payload_bytes(GroupId group) noexcept {
  return join_payload({.group = group}).length;
}

void fill_payload(const Submission& submission, std::span<std::byte> out) noexcept {
  if (submission.kind == core::RecordKind::Join) {
    const JoinPayload join = join_payload(submission);
    std::memcpy(out.data(), join.bytes.data(), std::min(out.size(), join.length));
    return;
  }
  if (submission.kind == core::RecordKind::Leave) {
    out[0] = static_cast<std::byte>(core::LeaveReason::Asked);
    return;
  }
  std::size_t i = 0;
  for (; i + 8 <= out.size(); i += 8)
    store_le<std::uint64_t>(&out[i], word_at(submission.content, i));
  for (const std::uint64_t last = word_at(submission.content, i); i < out.size(); ++i) {
    out[i] = static_cast<std::byte>(last >> (8 * (i % 8)));
  }
}

bool payload_matches(const Submission& submission, std::span<const std::byte> payload) noexcept {
  if (submission.kind == core::RecordKind::Join) {
    const JoinPayload join = join_payload(submission);
    return payload.size() == join.length &&
           std::memcmp(payload.data(), join.bytes.data(), join.length) == 0;
  }
  if (submission.kind == core::RecordKind::Leave) {
    return payload.size() == 1 && payload[0] == static_cast<std::byte>(core::LeaveReason::Asked);
  }
  if (submission.opaque) return replica::hash_bytes(payload) == submission.content;
  std::size_t i = 0;
  std::uint64_t difference = 0;
  for (; i + 8 <= payload.size(); i += 8) {
    difference |= load_le<std::uint64_t>(&payload[i]) ^ word_at(submission.content, i);
  }
  for (const std::uint64_t last = word_at(submission.content, i); i < payload.size(); ++i) {
    difference |= std::to_integer<std::uint64_t>(payload[i]) ^ ((last >> (8 * (i % 8))) & 0xFF);
  }
  return difference == 0;
}

}  // namespace phalanx::sim

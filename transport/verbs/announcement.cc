#include "transport/verbs/announcement.h"

#include <bit>
#include <cstring>

namespace phalanx::transport::verbs {
namespace {

// 0 magic, 3 version, 4 flags, 5 nothing, 6 LID, 8 node, 12 queue pair, 16 Q_Key, 20 frame bytes,
// 24 GID; numbers most significant byte first.
constexpr std::array<std::byte, 4> kBegin = {std::byte{'P'}, std::byte{'H'}, std::byte{'Q'},
                                             std::byte{1}};
constexpr std::byte kAsks{1};
constexpr std::uint32_t kQueuePairLeast = 2;
constexpr std::uint32_t kQueuePairMost = 0xfffffe;  // All ones is multicast.
constexpr std::uint32_t kFrameMost = 4096;

template <typename T>
void put(std::byte* at, T value) {
  for (std::size_t i = 0; i < sizeof value; ++i) {
    at[i] = static_cast<std::byte>(value >> (8 * (sizeof value - 1 - i)));
  }
}

template <typename T>
T get(const std::byte* at) {
  T out = 0;
  for (std::size_t i = 0; i < sizeof out; ++i) {
    out = static_cast<T>(out << 8 | static_cast<T>(std::to_integer<unsigned>(at[i])));
  }
  return out;
}

}  // namespace

std::array<std::byte, kAnnouncementBytes> encode(const Announcement& from) noexcept {
  std::array<std::byte, kAnnouncementBytes> out{};
  std::memcpy(out.data(), kBegin.data(), kBegin.size());
  out[4] = from.asks ? kAsks : std::byte{0};
  put(&out[6], from.lid);
  put(&out[8], from.node);
  put(&out[12], from.queue_pair);
  put(&out[16], from.qkey);
  put(&out[20], from.frame_bytes);
  std::memcpy(&out[24], from.gid.raw, sizeof from.gid.raw);
  return out;
}

std::optional<Announcement> decode(std::span<const std::byte> from) noexcept {
  if (from.size() != kAnnouncementBytes ||
      std::memcmp(from.data(), kBegin.data(), kBegin.size()) != 0 ||
      (from[4] & ~kAsks) != std::byte{0} || from[5] != std::byte{0}) {
    return std::nullopt;
  }
  Announcement out{.node = get<NodeId>(&from[8]),
                   .queue_pair = get<std::uint32_t>(&from[12]),
                   .qkey = get<std::uint32_t>(&from[16]),
                   .frame_bytes = get<std::uint32_t>(&from[20]),
                   .lid = get<std::uint16_t>(&from[6]),
                   .asks = (from[4] & kAsks) != std::byte{0}};
  std::memcpy(out.gid.raw, &from[24], sizeof out.gid.raw);
  if (out.node == 0 || out.queue_pair < kQueuePairLeast || out.queue_pair > kQueuePairMost ||
      (out.lid != 0 && !is_unicast_lid(out.lid)) || out.frame_bytes == 0 ||
      out.frame_bytes > kFrameMost) {
    return std::nullopt;
  }
  return out;
}

}  // namespace phalanx::transport::verbs

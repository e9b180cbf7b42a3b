#include "transport/wire/header.h"

#include "ipc/base/bytes.h"

namespace phalanx::wire {
namespace {

bool is_known(std::uint8_t type) noexcept {
  return (type >= static_cast<std::uint8_t>(FrameType::Ordered) &&
          type <= static_cast<std::uint8_t>(FrameType::RecoverNak)) ||
         type == static_cast<std::uint8_t>(FrameType::Control);
}

}  // namespace

void encode(const FrameHeader& header, std::span<std::byte, kHeaderBytes> out) noexcept {
  std::byte* at = out.data();
  store_le<std::uint8_t>(at, kMagic);
  store_le<std::uint8_t>(at + 1, kVersion);
  store_le<std::uint8_t>(at + 2, static_cast<std::uint8_t>(header.type));
  store_le<std::uint8_t>(at + 3, header.key_id);
  store_le<std::uint16_t>(at + 4, header.lane);
  store_le<std::uint16_t>(at + 6, header.links_heard);
  store_le<std::uint32_t>(at + 8, header.sender);
  store_le<std::uint32_t>(at + 12, header.key_tag);
  store_le<std::uint64_t>(at + 16, header.counter);
  store_le<std::uint64_t>(at + 24, header.position);
}

std::optional<FrameHeader> decode(std::span<const std::byte> frame) noexcept {
  if (frame.size() < kOverheadBytes) return std::nullopt;
  const std::byte* at = frame.data();
  const auto type = load_le<std::uint8_t>(at + 2);
  if (load_le<std::uint8_t>(at) != kMagic || load_le<std::uint8_t>(at + 1) != kVersion ||
      !is_known(type) || load_le<std::uint16_t>(at + 6) > kLinksHeardMax) {
    return std::nullopt;
  }

  const FrameHeader header{.type = static_cast<FrameType>(type),
                           .key_id = load_le<std::uint8_t>(at + 3),
                           .lane = load_le<std::uint16_t>(at + 4),
                           .links_heard = load_le<std::uint8_t>(at + 6),
                           .sender = load_le<std::uint32_t>(at + 8),
                           .key_tag = load_le<std::uint32_t>(at + 12),
                           .counter = load_le<std::uint64_t>(at + 16),
                           .position = load_le<std::uint64_t>(at + 24)};
  if (header.lane >= kLanesMax || header.sender == 0) return std::nullopt;
  return header;
}

}  // namespace phalanx::wire

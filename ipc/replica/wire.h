#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ipc/base/bytes.h"

namespace phalanx::replica {

/// What replicas say to each other. Every message is a header of 24 bytes, then what stands here;
/// little-endian, without padding. All are multicast safe, so that a message of a regular part was
/// received by every node of its view.
enum class Kind : std::uint8_t {
  Operations = 1,  ///< number: of the first. Each: u32 bytes, u32 0, bytes, zeros to 8.
  Hello = 2,       ///< number: nonce of the meeting, or 0. See hello.h.
  Meet = 3,        ///< number: nonce. Everybody: meet.
  Close = 4,       ///< number: nonce. Decide without who has not said hello.
  Ask = 5,         ///< number: node << 32 | client of who shall share. Vector of origins.
  Share = 6,       ///< Entries of its history, whole ones.
  Shared = 7,      ///< number: kShareBegins or kShareEnds. Vector of origins with floors.
  Give = 8,        ///< number: transfer. Giver u32 u32, then takers u32 u32.
  Chunk = 9,       ///< number: transfer. u64 offset, bytes.
  End = 10,        ///< number: transfer. u64 bytes, u64 hash.
  Abort = 11,      ///< number: transfer. u8 fault. From the giver.
  Ready = 12,      ///< number: transfer. u64 number of the next operation. From a taker.
  Nack = 13,       ///< number: transfer. u8 fault. From a taker.
  Drop = 14,       ///< number: node << 32 | client of who was too slow.
  Mark = 15,       ///< Nothing: its place in the order is what counts.
};

inline constexpr std::uint64_t kShareBegins = 0;
inline constexpr std::uint64_t kShareEnds = 1;
inline constexpr std::size_t kHeaderBytes = 24;
inline constexpr std::uint8_t kMagic = 0xA7;
inline constexpr std::uint8_t kProtocol = 1;

struct Header {
  Kind kind = Kind::Mark;
  std::uint64_t origin = 0;  ///< Of the sender.
  std::uint64_t number = 0;
};

inline void encode(const Header& header, std::byte* out) noexcept {
  store_le<std::uint64_t>(out, 0);
  out[0] = std::byte{kMagic};
  out[1] = std::byte{kProtocol};
  out[2] = static_cast<std::byte>(header.kind);
  store_le<std::uint64_t>(out + 8, header.origin);
  store_le<std::uint64_t>(out + 16, header.number);
}

[[nodiscard]] inline bool decode(std::span<const std::byte> in, Header& out) noexcept {
  if (in.size() < kHeaderBytes || in[0] != std::byte{kMagic} || in[1] != std::byte{kProtocol})
    return false;
  out.kind = static_cast<Kind>(in[2]);
  out.origin = load_le<std::uint64_t>(in.data() + 8);
  out.number = load_le<std::uint64_t>(in.data() + 16);
  return out.kind >= Kind::Operations && out.kind <= Kind::Mark && out.origin != 0;
}

/// FNV-1a over eight bytes a step: it finds mistakes, not forgers.
[[nodiscard]] inline std::uint64_t hash_bytes(std::span<const std::byte> bytes) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325ull ^ bytes.size();
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8)
    hash = (hash ^ load_le<std::uint64_t>(bytes.data() + i)) * 0x100000001b3ull;
  for (; i < bytes.size(); ++i)
    hash = (hash ^ static_cast<std::uint64_t>(bytes[i])) * 0x100000001b3ull;
  return hash ^ (hash >> 29);
}

}  // namespace phalanx::replica

#pragma once

#include <cstddef>
#include <cstdint>

namespace phalanx {

/// What the command line and the control plane say through the rings of `admin.sock` (ipc/call,
/// host order). Ask: a JSON object; the reply, now or later, is an AdminAnswer and the text of
/// another object, or as much of it as fits. More brings the rest, piece by piece.

/// Another version is another service, so that each side is told by connecting.
inline constexpr std::uint32_t kAdminService = 0x6164'6d00 | 1;  // "adm", version.
/// With the header of its record it just fits a bulk ring of 64 KiB.
inline constexpr std::size_t kAdminMessageBytesMax = 64 * 1024 - 64;
inline constexpr std::size_t kAdminRingBytes = 4096;
inline constexpr std::size_t kAdminAnswerBytesMax = 4 << 20;

enum class AdminCall : std::uint32_t { Ask = 0, More = 1 };
inline constexpr std::uint32_t kAdminCalls = 2;

/// Before the text of an answer.
struct AdminAnswer {
  std::uint64_t number = 0;  ///< For More.
  std::uint64_t bytes = 0;   ///< Of the whole text.
};
static_assert(sizeof(AdminAnswer) == 16);

/// The request of More, whose reply is the text from there on. A client has one answer at a time:
/// of another number there is no more (PHX_NOT_FOUND).
struct AdminMore {
  std::uint64_t number = 0;
  std::uint64_t offset = 0;
};
static_assert(sizeof(AdminMore) == 16);

}  // namespace phalanx

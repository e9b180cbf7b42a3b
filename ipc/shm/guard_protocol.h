#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace phalanx::shm {

/// What a program that guards a node and the control plane say through the rings of `guard.sock`
/// (ipc/call, host order). The program calls Enter and is a guard with its reply; from then on an
/// Ask event comes before the node leaves by an administrator's order, and Answer is the call back.

/// Another version is another service, so that each side is told by connecting.
inline constexpr std::uint32_t kGuardService = 0x6775'6100 | 2;  // "gua", version.
inline constexpr std::size_t kGuardRingBytes = 4096;
inline constexpr std::size_t kGuardMessageBytesMax = 256;
inline constexpr std::size_t kGuardTextBytesMax = 231;

enum class GuardCall : std::uint32_t {
  Enter = 0,  ///< The guard's name.
  Answer,     ///< A GuardAnswer, then why not.
};
inline constexpr std::uint32_t kGuardCalls = 2;

/// A std::uint32_t: the question's number.
inline constexpr std::uint32_t kGuardAskEvent = 1;

struct GuardAnswer {
  std::uint32_t question = 0;
  std::uint32_t agrees = 0;  ///< 1: it may leave, 0: it may not.
};
static_assert(sizeof(GuardAnswer) == 8);
static_assert(sizeof(GuardAnswer) + kGuardTextBytesMax <= kGuardMessageBytesMax);

/// Empty: no library sends that.
[[nodiscard]] inline std::optional<std::string_view> read_guard_name(
    std::span<const std::byte> bytes) noexcept {
  if (bytes.empty() || bytes.size() > kGuardTextBytesMax) return std::nullopt;
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

struct GuardAnswerParts {
  GuardAnswer head;
  std::string_view reason;
};
/// Empty: no library sends that.
[[nodiscard]] inline std::optional<GuardAnswerParts> read_guard_answer(
    std::span<const std::byte> bytes) noexcept {
  GuardAnswerParts parts;
  if (bytes.size() < sizeof parts.head || bytes.size() > sizeof parts.head + kGuardTextBytesMax) {
    return std::nullopt;
  }
  std::memcpy(&parts.head, bytes.data(), sizeof parts.head);
  if (parts.head.agrees > 1) return std::nullopt;
  bytes = bytes.subspan(sizeof parts.head);
  parts.reason = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  return parts;
}

}  // namespace phalanx::shm

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace phalanx::shm {

/// What a program that guards a node and the control plane say on `guard.sock` (SOCK_SEQPACKET,
/// host order). All words have one size. The program says Hello and is told whether it is a guard;
/// from then on it is asked before the node leaves by an administrator's order.
enum class GuardWordKind : std::uint32_t {
  Hello = 1,  ///< text: the guard's name.
  Welcome,    ///< value: 1 it guards, 0 there are too many or it may not.
  Ask,        ///< number: of the question.
  Answer,     ///< number; value: 1 it may leave, 0 not; text: why not.
};

inline constexpr std::uint64_t kGuardMagic = 0x6472'6175'6778'6870;
inline constexpr std::uint32_t kGuardVersion = 1;

struct GuardWord {
  std::uint64_t magic = kGuardMagic;
  std::uint32_t version = kGuardVersion;
  GuardWordKind kind = GuardWordKind::Hello;
  std::uint32_t number = 0;
  std::uint32_t value = 0;
  char text[232] = {};  ///< Ends with a zero.
};
static_assert(sizeof(GuardWord) == 256);

/// Empty: no library sends that.
[[nodiscard]] inline std::optional<GuardWord> read_guard_word(
    std::span<const std::byte> packet) noexcept {
  GuardWord word;
  if (packet.size() != sizeof word) return std::nullopt;
  std::memcpy(&word, packet.data(), sizeof word);
  if (word.magic != kGuardMagic || word.version != kGuardVersion ||
      word.kind < GuardWordKind::Hello || word.kind > GuardWordKind::Answer ||
      std::memchr(word.text, 0, sizeof word.text) == nullptr) {
    return std::nullopt;
  }
  return word;
}

}  // namespace phalanx::shm

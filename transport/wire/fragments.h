#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ipc/base/ids.h"
#include "transport/wire/messages.h"

namespace phalanx::wire {

/// What a control frame hides: u32 message, u16 index, u16 count, u8 kind, bytes. All fragments of
/// a message but the last have one length.
struct Fragment {
  std::uint32_t message = 0;  ///< Grows with every message of a sender.
  std::uint16_t index = 0;
  std::uint16_t count = 1;
  MessageKind kind = MessageKind::Hello;
  std::span<const std::byte> bytes;
};

inline constexpr std::size_t kFragmentHeaderBytes = 9;
inline constexpr std::size_t kFragmentsMax = 4096;

/// Fragments that a message takes when each has `room` bytes, this header included.
[[nodiscard]] std::size_t fragments_of(std::size_t message_bytes, std::size_t room) noexcept;

/// Writes fragment `index` of the message. Returns its length, at most `out.size()`, which must be
/// the same for all fragments of the message.
std::size_t encode_fragment(MessageKind kind, std::uint32_t message, std::size_t index,
                            std::span<const std::byte> bytes, std::span<std::byte> out) noexcept;

/// Empty unless all fields are what encode_fragment() writes.
[[nodiscard]] std::optional<Fragment> decode_fragment(std::span<const std::byte> bytes) noexcept;

/// Puts fragments together. One message in progress a sender: a newer one takes its place, an older
/// one is dropped, and the sender's own repetition mends what was lost. Memory is bounded by
/// `bytes_max` in all; what does not fit is refused. Cold: it allocates. One thread.
class Reassembler {
 public:
  explicit Reassembler(std::size_t senders_max = 2 * kNodesMax,
                       std::size_t bytes_max = 8 * kMessageBytesMax);

  struct Message {
    MessageKind kind = MessageKind::Hello;
    std::vector<std::byte> bytes;
  };

  /// Takes an authenticated fragment. Returns the message that it completes, if any.
  [[nodiscard]] std::optional<Message> take(const Member& sender, const Fragment& fragment);

  /// Fragments that had no place: hostile counts, other lengths, an older message, no memory.
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }
  [[nodiscard]] std::size_t bytes_held() const noexcept { return bytes_held_; }

 private:
  struct Progress;

  Progress* find_or_replace(const Member& sender, const Fragment& fragment);
  bool place(Progress& progress, const Fragment& fragment);
  void clear(Progress& progress) noexcept;

  struct Progress {
    Member sender;
    std::uint32_t message = 0;
    MessageKind kind = MessageKind::Hello;
    std::uint64_t used_at = 0;  ///< For replacing the longest untouched.
    std::size_t missing = 0;
    std::vector<std::vector<std::byte>> parts;  ///< Empty: not here yet.
  };

  std::size_t senders_max_;
  std::size_t bytes_max_;
  std::size_t bytes_held_ = 0;
  std::uint64_t clock_ = 0;
  std::uint64_t refused_ = 0;
  std::vector<Progress> in_progress_;
};

}  // namespace phalanx::wire

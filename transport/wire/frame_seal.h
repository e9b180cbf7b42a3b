#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "ipc/base/ids.h"
#include "transport/wire/header.h"
#include "transport/wire/key_table.h"

namespace phalanx::wire {

/// Data frame: header (32), sealed payload, tag (16).
/// Control frame: header, sender's boot id (16), receiver's boot id (16; zero: whoever hears it),
/// sealed fragment, tag. All before the sealed part is the AEAD's associated data.
inline constexpr std::size_t kControlPrefixBytes = 32;
inline constexpr std::size_t kControlOverheadBytes = kOverheadBytes + kControlPrefixBytes;

[[nodiscard]] constexpr std::uint32_t nonce_space(LaneId lane, bool control) noexcept {
  return static_cast<std::uint32_t>(lane) << 1 | (control ? 1U : 0U);
}

/// Writes sealed frames into memory of the caller (a transport's buffer). One thread.
class FrameSealer {
 public:
  explicit FrameSealer(KeyTable& keys) noexcept : keys_(keys) {}

  /// What every frame says from now on: FrameHeader::links_heard.
  void say_links_heard(std::uint8_t links) noexcept { links_heard_ = links; }

  /// Seals a data frame for the installed view. Returns its length: payload and kOverheadBytes,
  /// which must fit `out`.
  [[nodiscard]] std::size_t seal_data(FrameType type, LaneId lane, Position position,
                                      std::span<const std::byte> payload,
                                      std::span<std::byte> out) noexcept;

  /// The same frame for the installed view where nothing is encrypted (Cipher::Insecure), but for
  /// its payload, which stays where it is: header and tag, one after the other. The payload goes
  /// between them. Its checksum is that of the bytes now: whoever changes them before they are
  /// sent makes a frame with a wrong tag.
  void seal_around(FrameType type, LaneId lane, Position position,
                   std::span<const std::byte> payload,
                   std::span<std::byte, kOverheadBytes> out) noexcept;

  /// Seals one fragment. `receiver` is none for a hello and for nothing else. Returns the length.
  /// With the key that the table says for this receiver, or with another one of its boot_seal()s.
  [[nodiscard]] std::size_t seal_control(LaneId lane, const BootId& receiver,
                                         std::span<const std::byte> fragment,
                                         std::span<std::byte> out) noexcept;
  [[nodiscard]] std::size_t seal_control(LaneId lane, const BootId& receiver,
                                         std::span<const std::byte> fragment,
                                         std::span<std::byte> out,
                                         const KeyTable::SealKey& with) noexcept;

 private:
  struct Begun {
    const AeadKey* key = nullptr;
    Nonce nonce;
  };
  /// Writes a data frame's header.
  [[nodiscard]] Begun begin_data(FrameType type, LaneId lane, Position position,
                                 std::span<std::byte, kHeaderBytes> out) noexcept;

  KeyTable& keys_;
  std::uint8_t links_heard_ = 0;
};

/// Why a frame was dropped; each has a counter.
enum class FrameVerdict : std::uint8_t {
  Good,
  Malformed,      ///< Too short, or not our magic, type or lane.
  OtherVersion,   ///< Ours, of another protocol version.
  OwnNode,        ///< Says that we sent it: an echo, or two nodes with one id.
  UnknownSender,  ///< Not a configured node.
  UnknownKey,     ///< Another view, incarnation, cluster or cluster key.
  OtherReceiver,  ///< For an earlier incarnation of this node.
  Replayed,       ///< Taken already, or older than the window.
  BadTag,         ///< Changed on its way, or forged.
};
inline constexpr std::size_t kFrameVerdicts = 9;
[[nodiscard]] std::string_view to_string(FrameVerdict verdict) noexcept;

/// A frame that passed every check that needs no cipher. Nothing in it is proven before open().
struct CheckedFrame {
  FrameVerdict verdict = FrameVerdict::Malformed;
  FrameHeader header;
  PeerKey* key = nullptr;
  bool guessed = false;   ///< The key is a guess: a boot id that was not heard before.
  bool addressed = true;  ///< A control frame that names this incarnation.
  std::span<const std::byte> associated;  ///< In the opener, as is the tag.
  std::span<const std::byte> sealed;      ///< In the frame; as long as what open() writes.
  std::span<const std::byte> tag;

  [[nodiscard]] bool is_control() const noexcept { return header.type == FrameType::Control; }
  /// Who sealed it. Proven once open() said so.
  [[nodiscard]] const Member& sender() const noexcept { return key->peer; }
};

/// The order of checks on receive: check(), then the core's place() with a data frame's header and
/// sealed.size(), then open() into the place it gave, then the core's accept(). Frame by frame: a
/// checked frame is opened or dropped before the next one is checked. One thread.
///
/// A frame may lie in memory of its sender, who can change it meanwhile (transport/shm): all but
/// its sealed part is read once, into this object, and both checked and authenticated there.
class FrameOpener {
 public:
  explicit FrameOpener(KeyTable& keys) noexcept : keys_(keys) {}

  /// Changes nothing that a forger could profit from.
  [[nodiscard]] CheckedFrame check(std::span<const std::byte> frame) noexcept;

  /// Opens into `target`, which has room for sealed.size() bytes, and on success marks the counter
  /// as taken. False: BadTag, and the bytes at `target` are rubbish.
  [[nodiscard]] bool open(CheckedFrame& frame, std::byte* target) noexcept;

 private:
  [[nodiscard]] FrameVerdict find_key(std::span<const std::byte> clear, CheckedFrame& out) noexcept;

  KeyTable& keys_;
  std::array<std::byte, kHeaderBytes + kControlPrefixBytes> clear_{};  ///< Of the frame in check.
  std::array<std::byte, kTagBytes> tag_{};                             ///< Likewise.
};

}  // namespace phalanx::wire

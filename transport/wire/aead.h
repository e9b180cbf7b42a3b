#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "ipc/base/bytes.h"
#include "transport/wire/header.h"
#include "transport/wire/secret.h"

namespace phalanx::wire {

/// What seals frames. OpenSsl and IpsecMb write the same bytes (AES-256-GCM).
enum class Cipher : std::uint8_t {
  Insecure,  ///< Nothing is hidden; the tag is a checksum that tells strangers and damage apart.
  OpenSsl,
  IpsecMb,  ///< Several times faster a frame; only where built in and the processor has AES.
};

[[nodiscard]] std::string_view to_string(Cipher cipher) noexcept;
[[nodiscard]] bool available(Cipher cipher) noexcept;
/// The fastest AES-256-GCM that is there.
[[nodiscard]] Cipher fastest_cipher() noexcept;

/// Nonce space, then counter, little-endian. One writer a (key, space); a counter is used once.
struct Nonce {
  std::array<std::uint8_t, 12> bytes;

  [[nodiscard]] static Nonce of(std::uint32_t space, std::uint64_t counter) noexcept {
    Nonce nonce;
    store_le(reinterpret_cast<std::byte*>(nonce.bytes.data()), space);
    store_le(reinterpret_cast<std::byte*>(nonce.bytes.data()) + 4, counter);
    return nonce;
  }
};

/// One key, prepared once: a frame costs no allocation and no key schedule. Move-only. One thread.
/// Input and output never overlap.
class AeadKey {
 public:
  AeadKey() = default;
  AeadKey(Cipher cipher, const Secret& key);
  AeadKey(AeadKey&& other) noexcept;
  AeadKey& operator=(AeadKey&& other) noexcept;
  ~AeadKey();

  /// Writes plain.size() sealed bytes and then the tag to `out`.
  void seal(const Nonce& nonce, std::span<const std::byte> associated,
            std::span<const std::byte> plain, std::byte* out) const noexcept;

  /// The tag alone that seal() would write; of Cipher::Insecure only, which leaves bytes as they
  /// are.
  void tag(const Nonce& nonce, std::span<const std::byte> associated,
           std::span<const std::byte> plain, std::span<std::byte, kTagBytes> out) const noexcept;

  /// Opens sealed bytes (tag excluded) into `out`, and compares the tag in constant time. When it
  /// does not match, `out` holds rubbish that must not be used.
  [[nodiscard]] bool open(const Nonce& nonce, std::span<const std::byte> associated,
                          std::span<const std::byte> sealed,
                          std::span<const std::byte, kTagBytes> tag, std::byte* out) const noexcept;

 private:
  Cipher cipher_ = Cipher::Insecure;
  void* state_ = nullptr;
};

}  // namespace phalanx::wire

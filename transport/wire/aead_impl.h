#pragma once

#include <cstddef>
#include <span>

#include "transport/wire/aead.h"

/// The ciphers behind AeadKey. `state` is what make() returned, and free() takes it back, wiped.
namespace phalanx::wire {

struct AeadText {
  const Nonce& nonce;
  std::span<const std::byte> associated;
  std::span<const std::byte> text;
};

using TagOut = std::span<std::byte, kTagBytes>;
using TagIn = std::span<const std::byte, kTagBytes>;

namespace insecure {
[[nodiscard]] void* make(const Secret& key);
void seal(const void* state, const AeadText& in, std::byte* out, TagOut tag) noexcept;
void tag(const void* state, const AeadText& in, TagOut out) noexcept;
[[nodiscard]] bool open(const void* state, const AeadText& in, TagIn tag, std::byte* out) noexcept;
void free(void* state) noexcept;
}  // namespace insecure

namespace openssl {
[[nodiscard]] void* make(const Secret& key);
void seal(const void* state, const AeadText& in, std::byte* out, TagOut tag) noexcept;
[[nodiscard]] bool open(const void* state, const AeadText& in, TagIn tag, std::byte* out) noexcept;
void free(void* state) noexcept;
}  // namespace openssl

/// Compiled to "not available" where the library is not there.
namespace ipsec_mb {
[[nodiscard]] bool available() noexcept;
[[nodiscard]] void* make(const Secret& key);
void seal(const void* state, const AeadText& in, std::byte* out, TagOut tag) noexcept;
[[nodiscard]] bool open(const void* state, const AeadText& in, TagIn tag, std::byte* out) noexcept;
void free(void* state) noexcept;
}  // namespace ipsec_mb

}  // namespace phalanx::wire

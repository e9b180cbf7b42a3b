#include "transport/wire/aead.h"

#include <utility>

#include "ipc/base/assert.h"
#include "transport/wire/aead_impl.h"

namespace phalanx::wire {

std::string_view to_string(Cipher cipher) noexcept {
  switch (cipher) {
    case Cipher::Insecure:
      return "insecure";
    case Cipher::OpenSsl:
      return "aes-256-gcm (openssl)";
    case Cipher::IpsecMb:
      return "aes-256-gcm (ipsec-mb)";
  }
  return "corrupt";
}

bool available(Cipher cipher) noexcept {
  return cipher != Cipher::IpsecMb || ipsec_mb::available();
}

Cipher fastest_cipher() noexcept {
  return available(Cipher::IpsecMb) ? Cipher::IpsecMb : Cipher::OpenSsl;
}

AeadKey::AeadKey(Cipher cipher, const Secret& key) : cipher_(cipher) {
  PHX_CHECK(available(cipher));
  switch (cipher) {
    case Cipher::Insecure:
      state_ = insecure::make(key);
      break;
    case Cipher::OpenSsl:
      state_ = openssl::make(key);
      break;
    case Cipher::IpsecMb:
      state_ = ipsec_mb::make(key);
      break;
  }
  PHX_CHECK(state_ != nullptr);
}

AeadKey::AeadKey(AeadKey&& other) noexcept
    : cipher_(other.cipher_), state_(std::exchange(other.state_, nullptr)) {}

AeadKey& AeadKey::operator=(AeadKey&& other) noexcept {
  std::swap(cipher_, other.cipher_);
  std::swap(state_, other.state_);
  return *this;
}

AeadKey::~AeadKey() {
  if (state_ == nullptr) return;
  switch (cipher_) {
    case Cipher::Insecure:
      insecure::free(state_);
      break;
    case Cipher::OpenSsl:
      openssl::free(state_);
      break;
    case Cipher::IpsecMb:
      ipsec_mb::free(state_);
      break;
  }
}

// A switch, not a virtual call: it is predicted, and runs once a frame.
void AeadKey::seal(const Nonce& nonce, std::span<const std::byte> associated,
                   std::span<const std::byte> plain, std::byte* out) const noexcept {
  const AeadText in{nonce, associated, plain};
  const TagOut tag(out + plain.size(), kTagBytes);
  switch (cipher_) {
    case Cipher::Insecure:
      return insecure::seal(state_, in, out, tag);
    case Cipher::OpenSsl:
      return openssl::seal(state_, in, out, tag);
    case Cipher::IpsecMb:
      return ipsec_mb::seal(state_, in, out, tag);
  }
}

void AeadKey::tag(const Nonce& nonce, std::span<const std::byte> associated,
                  std::span<const std::byte> plain, TagOut out) const noexcept {
  PHX_CHECK(cipher_ == Cipher::Insecure);
  insecure::tag(state_, {nonce, associated, plain}, out);
}

bool AeadKey::open(const Nonce& nonce, std::span<const std::byte> associated,
                   std::span<const std::byte> sealed, TagIn tag, std::byte* out) const noexcept {
  const AeadText in{nonce, associated, sealed};
  switch (cipher_) {
    case Cipher::Insecure:
      return insecure::open(state_, in, tag, out);
    case Cipher::OpenSsl:
      return openssl::open(state_, in, tag, out);
    case Cipher::IpsecMb:
      return ipsec_mb::open(state_, in, tag, out);
  }
  return false;
}

}  // namespace phalanx::wire

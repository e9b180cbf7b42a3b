#include "transport/wire/aead.h"

#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace phalanx::wire {
namespace {

std::size_t openssl_allocations = 0;

void* counting_malloc(std::size_t bytes, const char*, int) {
  ++openssl_allocations;
  return std::malloc(bytes);
}
void* counting_realloc(void* old, std::size_t bytes, const char*, int) {
  ++openssl_allocations;
  return std::realloc(old, bytes);
}
void counting_free(void* old, const char*, int) { std::free(old); }

/// Before main(): the library takes other functions only while it has allocated nothing.
const bool counts_allocations =
    CRYPTO_set_mem_functions(counting_malloc, counting_realloc, counting_free) == 1;

std::vector<std::byte> from_hex(std::string_view hex) {
  std::vector<std::byte> out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return out;
}

Secret secret_of(std::span<const std::byte> bytes) {
  Secret secret;
  for (std::size_t i = 0; i < Secret::kBytes; ++i) {
    secret.mutable_bytes()[i] = static_cast<std::uint8_t>(bytes[i]);
  }
  return secret;
}

std::vector<std::byte> pattern(std::size_t bytes) {
  std::vector<std::byte> out(bytes);
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<std::byte>(i * 7 + 3);
  return out;
}

std::vector<Cipher> ciphers_here() {
  std::vector<Cipher> out = {Cipher::Insecure, Cipher::OpenSsl};
  if (available(Cipher::IpsecMb)) out.push_back(Cipher::IpsecMb);
  return out;
}

std::vector<std::byte> seal(const AeadKey& key, const Nonce& nonce,
                            std::span<const std::byte> associated,
                            std::span<const std::byte> plain) {
  std::vector<std::byte> out(plain.size() + kTagBytes);
  key.seal(nonce, associated, plain, out.data());
  return out;
}

bool open(const AeadKey& key, const Nonce& nonce, std::span<const std::byte> associated,
          std::span<const std::byte> sealed, std::vector<std::byte>& out) {
  out.resize(sealed.size() - kTagBytes);
  return key.open(nonce, associated, sealed.first(out.size()), sealed.last<kTagBytes>(),
                  out.data());
}

// Test case 16 of the GCM specification (McGrew and Viega).
TEST(Aead, WritesTheBytesOfTheGcmSpecification) {
  const Secret key =
      secret_of(from_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"));
  Nonce nonce;
  const std::vector<std::byte> iv = from_hex("cafebabefacedbaddecaf888");
  for (std::size_t i = 0; i < iv.size(); ++i) nonce.bytes[i] = static_cast<std::uint8_t>(iv[i]);
  const auto associated = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const auto plain = from_hex(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6"
      "b5"
      "25b16aedf5aa0de657ba637b39");
  const auto sealed = from_hex(
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b105682"
      "8838"
      "c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b");

  for (const Cipher cipher : ciphers_here()) {
    if (cipher == Cipher::Insecure) continue;
    EXPECT_EQ(seal(AeadKey(cipher, key), nonce, associated, plain), sealed) << to_string(cipher);
  }
}

TEST(Aead, OpensWhatItSealedAtEveryLength) {
  const Secret key = secret_of(pattern(32));
  for (const Cipher cipher : ciphers_here()) {
    const AeadKey aead(cipher, key);
    for (const unsigned length :
         {0U, 1U, 7U, 8U, 15U, 16U, 17U, 31U, 32U, 33U, 255U, 1424U, 8924U}) {
      const std::vector<std::byte> plain = pattern(length);
      const Nonce nonce = Nonce::of(3, length + 1);

      std::vector<std::byte> opened;
      const bool fine =
          open(aead, nonce, pattern(32), seal(aead, nonce, pattern(32), plain), opened);

      EXPECT_TRUE(fine) << to_string(cipher) << " " << length;
      EXPECT_EQ(opened, plain);
    }
  }
}

TEST(Aead, WritesTheSameBytesWithEitherLibrary) {
  if (!available(Cipher::IpsecMb)) GTEST_SKIP() << "this build or processor has no ipsec-mb";
  const Secret key = secret_of(pattern(32));
  const AeadKey one(Cipher::OpenSsl, key);
  const AeadKey other(Cipher::IpsecMb, key);

  for (std::size_t length = 0; length < 300; ++length) {
    const Nonce nonce = Nonce::of(1, length);
    const std::vector<std::byte> associated = pattern(length % 2 == 0 ? 32 : 64);
    EXPECT_EQ(seal(one, nonce, associated, pattern(length)),
              seal(other, nonce, associated, pattern(length)))
        << length;
  }
}

TEST(Aead, RefusesAFrameWithAnyBitChanged) {
  const Secret key = secret_of(pattern(32));
  const Nonce nonce = Nonce::of(2, 77);
  const std::vector<std::byte> associated = pattern(32);
  for (const Cipher cipher : ciphers_here()) {
    const AeadKey aead(cipher, key);
    std::vector<std::byte> sealed = seal(aead, nonce, associated, pattern(61));
    std::vector<std::byte> opened;
    for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
      sealed[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
      EXPECT_FALSE(open(aead, nonce, associated, sealed, opened)) << to_string(cipher) << bit;
      sealed[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    }
    std::vector<std::byte> header = associated;
    for (std::size_t bit = 0; bit < header.size() * 8; ++bit) {
      header[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
      EXPECT_FALSE(open(aead, nonce, header, sealed, opened)) << to_string(cipher) << bit;
      header[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    }
    EXPECT_FALSE(open(aead, Nonce::of(3, 77), associated, sealed, opened));
    EXPECT_FALSE(open(aead, Nonce::of(2, 78), associated, sealed, opened));
    EXPECT_TRUE(open(aead, nonce, associated, sealed, opened));
  }
}

TEST(Aead, AllocatesNothingAFrame) {
  ASSERT_TRUE(counts_allocations);
  const AeadKey aead(Cipher::OpenSsl, secret_of(pattern(32)));
  const std::vector<std::byte> plain = pattern(1424);
  std::vector<std::byte> sealed(plain.size() + kTagBytes);
  std::vector<std::byte> opened(plain.size());
  const auto carry_one = [&](std::uint64_t counter) {
    const Nonce nonce = Nonce::of(0, counter);
    aead.seal(nonce, std::span(plain).first(32), plain, sealed.data());
    return aead.open(nonce, std::span(plain).first(32), std::span(sealed).first(plain.size()),
                     std::span(sealed).last<kTagBytes>(), opened.data());
  };
  ASSERT_TRUE(carry_one(1));

  const std::size_t before = openssl_allocations;
  for (std::uint64_t counter = 2; counter < 10; ++counter) ASSERT_TRUE(carry_one(counter));

  EXPECT_GT(before, 0U);
  EXPECT_EQ(openssl_allocations, before);
}

TEST(Aead, RefusesAFrameOfAnotherKey) {
  const Secret key = secret_of(pattern(32));
  Secret other = key.clone();
  other.mutable_bytes()[0] ^= 1;
  const Nonce nonce = Nonce::of(0, 1);
  for (const Cipher cipher : ciphers_here()) {
    std::vector<std::byte> opened;
    const auto sealed = seal(AeadKey(cipher, key), nonce, pattern(32), pattern(64));
    EXPECT_FALSE(open(AeadKey(cipher, other), nonce, pattern(32), sealed, opened));
  }
}

}  // namespace
}  // namespace phalanx::wire

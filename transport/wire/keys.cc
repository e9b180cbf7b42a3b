#include "transport/wire/keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <vector>

#include "ipc/base/assert.h"
#include "transport/wire/codec.h"

namespace phalanx::wire {
namespace {

using Digest = std::array<std::uint8_t, 32>;

Digest hmac(std::span<const std::uint8_t> key, std::span<const std::uint8_t> text) {
  Digest out;
  unsigned int length = 0;
  PHX_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), text.data(), text.size(),
                 out.data(), &length) != nullptr);
  PHX_CHECK(length == out.size());
  return out;
}

std::span<const std::uint8_t> u8(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// RFC 5869 with salt "phalanx v1", 36 bytes: the key and its tag.
DerivedKey hkdf(const ClusterKey& key, std::span<const std::byte> info) {
  Digest extracted = hmac(u8("phalanx v1"), key.secret.bytes());

  std::vector<std::uint8_t> block;
  for (const std::byte byte : info) block.push_back(static_cast<std::uint8_t>(byte));
  block.push_back(1);
  Digest first = hmac(extracted, block);
  block.insert(block.begin(), first.begin(), first.end());
  block.back() = 2;
  const Digest second = hmac(extracted, block);

  DerivedKey out{.secret = Secret(first),
                 .tag = load_le<std::uint32_t>(std::as_bytes(std::span(second)).data())};
  wipe(extracted);
  wipe(first);
  wipe(block);
  return out;
}

void put_label(Writer& to, std::string_view label) {
  for (const char c : label) to.put(static_cast<std::uint8_t>(c));
}

void put_member(Writer& to, const Member& member) {
  to.put(member.node);
  to.put(member.boot);
}

}  // namespace

void wipe(std::span<std::uint8_t> secret) noexcept {
  OPENSSL_cleanse(secret.data(), secret.size());
}

bool same_secret(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string fingerprint(const ClusterKey& key) {
  std::vector<std::byte> info;
  Writer to(info);
  put_label(to, "name");
  const DerivedKey derived = hkdf(key, info);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : derived.secret.bytes().first(8)) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

DerivedKey derive_view_key(const ClusterKey& key, const ViewId& view, const Member& sender) {
  std::vector<std::byte> info;
  Writer to(info);
  put_label(to, "view");
  to.put(view);
  put_member(to, sender);
  return hkdf(key, info);
}

DerivedKey derive_boot_key(const ClusterKey& key, const Member& sender) {
  std::vector<std::byte> info;
  Writer to(info);
  put_label(to, "boot");
  put_member(to, sender);
  return hkdf(key, info);
}

ClusterKey insecure_cluster_key(std::string_view cluster_name) {
  const Digest digest = hmac(u8("phalanx insecure"), u8(cluster_name));
  return {.id = 1, .secret = Secret(digest)};
}

}  // namespace phalanx::wire

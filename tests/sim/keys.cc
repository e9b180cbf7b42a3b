#include "tests/sim/keys.h"

#include "ipc/base/bytes.h"
#include "transport/sim/random.h"
#include "transport/wire/header.h"

namespace phalanx::sim {
namespace {

using transport::mix64;

std::uint64_t mix_boot(std::uint64_t h, const BootId& boot) noexcept {
  const auto bytes = std::as_bytes(std::span(boot.bytes));
  return mix64(mix64(h + load_le<std::uint64_t>(&bytes[0])) + load_le<std::uint64_t>(&bytes[8]));
}

SealKey finish(std::uint64_t h) noexcept {
  return {.key = h, .tag = static_cast<std::uint32_t>(h >> 32)};
}

/// Folds 32 bytes a round in four independent chains: this runs over every byte on the wire.
std::uint64_t digest(std::uint64_t key, std::span<const std::byte> bytes) noexcept {
  constexpr std::uint64_t kOdd = 0x9FB21C651E98DF25ull;
  std::uint64_t h[4] = {key, key ^ 0x5555, key + 0x7777, ~key};
  std::size_t i = 0;
  for (; i + 32 <= bytes.size(); i += 32) {
    for (std::size_t k = 0; k < 4; ++k) {
      h[k] = (h[k] ^ load_le<std::uint64_t>(&bytes[i + 8 * k])) * kOdd;
      h[k] ^= h[k] >> 31;
    }
  }
  std::uint64_t rest = bytes.size();
  for (; i < bytes.size(); ++i) rest = (rest + std::to_integer<std::uint64_t>(bytes[i])) * kOdd;
  return mix64(mix64(h[0] + mix64(h[1])) + mix64(h[2] + mix64(h[3])) + mix64(rest));
}

}  // namespace

SealKey view_key(const ViewId& view, Member sender) noexcept {
  const std::uint64_t h = mix_boot(mix64(view.sequence) + view.representative, view.boot);
  return finish(mix_boot(mix64(h + sender.node), sender.boot));
}

SealKey boot_key(Member sender) noexcept {
  return finish(mix_boot(mix64(~std::uint64_t{sender.node}), sender.boot));
}

void seal(const SealKey& key, std::span<std::byte> frame) noexcept {
  const auto tag = frame.last(wire::kTagBytes);
  const std::uint64_t h = digest(key.key, frame.first(frame.size() - wire::kTagBytes));
  store_le<std::uint64_t>(tag.data(), h);
  store_le<std::uint64_t>(tag.data() + 8, ~h);
}

bool tag_compares(const SealKey& key, std::span<const std::byte> frame) noexcept {
  const auto tag = frame.last(wire::kTagBytes);
  const std::uint64_t h = digest(key.key, frame.first(frame.size() - wire::kTagBytes));
  return load_le<std::uint64_t>(tag.data()) == h && load_le<std::uint64_t>(tag.data() + 8) == ~h;
}

}  // namespace phalanx::sim

#include "dataplane/core/group_state.h"

#include <cstring>

#include "ipc/base/assert.h"
#include "ipc/base/bytes.h"

namespace phalanx::core {
namespace {

constexpr std::size_t kFixedBytes = 17;

std::string_view text(const std::byte* at, std::size_t bytes) {
  return {reinterpret_cast<const char*>(at), bytes};
}

}  // namespace

std::size_t group_state_bytes(std::span<const Membership> memberships) noexcept {
  std::size_t bytes = 4;
  for (const Membership& m : memberships) bytes += kFixedBytes + m.name.size();
  return bytes;
}

void encode_group_state(std::span<const Membership> memberships,
                        std::span<std::byte> out) noexcept {
  PHX_CHECK(out.size() == group_state_bytes(memberships));
  std::byte* at = out.data();
  at += encode_group_count(memberships.size(), at);
  for (const Membership& m : memberships) at += encode_membership(m, at);
}

std::size_t encode_group_count(std::size_t count, std::byte* out) noexcept {
  store_le<std::uint32_t>(out, static_cast<std::uint32_t>(count));
  return 4;
}

std::size_t encode_membership(const Membership& m, std::byte* out) noexcept {
  store_le<std::uint64_t>(out, m.group);
  store_le<std::uint32_t>(out + 8, m.client);
  store_le<std::uint32_t>(out + 12, m.process);
  store_le<std::uint8_t>(out + 16, static_cast<std::uint8_t>(m.name.size()));
  std::memcpy(out + kFixedBytes, m.name.data(), m.name.size());
  return kFixedBytes + m.name.size();
}

bool decode_group_state(std::span<const std::byte> in,
                        const std::function<void(const Membership&)>& each) {
  if (in.size() < 4) return false;
  const auto count = load_le<std::uint32_t>(in.data());
  in = in.subspan(4);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (in.size() < kFixedBytes) return false;
    const auto name_bytes = load_le<std::uint8_t>(in.data() + 16);
    if (name_bytes == 0 || name_bytes > kGroupNameBytesMax ||
        in.size() < kFixedBytes + name_bytes) {
      return false;
    }
    each({.group = load_le<std::uint64_t>(in.data()),
          .client = load_le<std::uint32_t>(in.data() + 8),
          .process = load_le<std::uint32_t>(in.data() + 12),
          .name = text(in.data() + kFixedBytes, name_bytes)});
    in = in.subspan(kFixedBytes + name_bytes);
  }
  return in.empty();
}

bool decode_join(std::span<const std::byte> in, Membership& out) noexcept {
  if (in.size() < 5 || in.size() > 4 + kGroupNameBytesMax) return false;
  out.process = load_le<std::uint32_t>(in.data());
  out.name = text(in.data() + 4, in.size() - 4);
  return true;
}

}  // namespace phalanx::core

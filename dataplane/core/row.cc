#include "dataplane/core/row.h"

namespace phalanx::core {
namespace {

constexpr std::uint8_t kDistrusts = 1;
constexpr std::uint8_t kOrderer = 2;

}  // namespace

std::size_t encode_row(const Row& row, std::span<std::byte, kRowBytesMax> out) noexcept {
  std::byte* at = out.data();
  store_le<std::uint64_t>(at, row.received);
  store_le<std::uint64_t>(at + 8, row.limit);
  store_le<std::uint64_t>(at + 16, row.log_end);
  store_le<std::uint64_t>(at + 24, row.stream_end);
  store_le<std::uint64_t>(at + 32, row.bulk_end);
  store_le<std::uint64_t>(at + 40, row.hash_index);
  store_le<std::uint64_t>(at + 48, row.hash);
  store_le<std::uint32_t>(at + 56, row.handovers);
  const auto flags = static_cast<std::uint8_t>((row.distrusts_itself ? kDistrusts : 0) |
                                               (row.orderer ? kOrderer : 0));
  store_le<std::uint8_t>(at + 60, flags);
  store_le<std::uint8_t>(at + 61, row.origin_count);
  store_le<std::uint16_t>(at + 62, 0);
  for (std::size_t i = 0; i < row.origin_count; ++i) {
    store_le<std::uint64_t>(at + kRowFixedBytes + 16 * i, row.origins[i].received);
    store_le<std::uint64_t>(at + kRowFixedBytes + 16 * i + 8, row.origins[i].limit);
  }
  return kRowFixedBytes + 16 * std::size_t{row.origin_count};
}

bool decode_row(std::span<const std::byte> in, Row& out) noexcept {
  if (in.size() < kRowFixedBytes) return false;
  const std::byte* at = in.data();
  const auto flags = load_le<std::uint8_t>(at + 60);
  const auto count = load_le<std::uint8_t>(at + 61);
  if (flags > (kDistrusts | kOrderer) || count > kNodesMax ||
      load_le<std::uint16_t>(at + 62) != 0 ||
      in.size() != kRowFixedBytes + 16 * std::size_t{count}) {
    return false;
  }
  out.received = load_le<std::uint64_t>(at);
  out.limit = load_le<std::uint64_t>(at + 8);
  out.log_end = load_le<std::uint64_t>(at + 16);
  out.stream_end = load_le<std::uint64_t>(at + 24);
  out.bulk_end = load_le<std::uint64_t>(at + 32);
  out.hash_index = load_le<std::uint64_t>(at + 40);
  out.hash = load_le<std::uint64_t>(at + 48);
  out.handovers = load_le<std::uint32_t>(at + 56);
  out.distrusts_itself = (flags & kDistrusts) != 0;
  out.orderer = (flags & kOrderer) != 0;
  out.origin_count = count;
  for (std::size_t i = 0; i < count; ++i) {
    out.origins[i].received = load_le<std::uint64_t>(at + kRowFixedBytes + 16 * i);
    out.origins[i].limit = load_le<std::uint64_t>(at + kRowFixedBytes + 16 * i + 8);
  }
  return true;
}

std::size_t encode_nak(const Nak& nak, std::span<std::byte, kNakBytesMax> out) noexcept {
  store_le<std::uint64_t>(out.data(), 0);
  store_le<std::uint8_t>(out.data(), static_cast<std::uint8_t>(nak.what));
  store_le<std::uint8_t>(out.data() + 1, nak.count);
  for (std::size_t i = 0; i < nak.count; ++i) {
    store_le<std::uint64_t>(out.data() + 8 + 16 * i, nak.spans[i].from);
    store_le<std::uint64_t>(out.data() + 16 + 16 * i, nak.spans[i].to);
  }
  return 8 + 16 * std::size_t{nak.count};
}

bool decode_nak(std::span<const std::byte> in, Nak& out) noexcept {
  if (in.size() < 8) return false;
  const auto what = load_le<std::uint8_t>(in.data());
  const auto count = load_le<std::uint8_t>(in.data() + 1);
  if (what < 1 || what > 2 || count == 0 || count > Nak::kSpansMax ||
      load_le<std::uint16_t>(in.data() + 2) != 0 || load_le<std::uint32_t>(in.data() + 4) != 0 ||
      in.size() != 8 + 16 * std::size_t{count}) {
    return false;
  }
  out.what = static_cast<Nak::What>(what);
  out.count = count;
  for (std::size_t i = 0; i < count; ++i) {
    out.spans[i] = {load_le<std::uint64_t>(in.data() + 8 + 16 * i),
                    load_le<std::uint64_t>(in.data() + 16 + 16 * i)};
    if (out.spans[i].from >= out.spans[i].to) return false;
  }
  return true;
}

}  // namespace phalanx::core

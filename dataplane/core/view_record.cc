#include "dataplane/core/view_record.h"

#include <cstring>

#include "ipc/base/assert.h"
#include "ipc/base/bytes.h"

namespace phalanx::core {
namespace {

constexpr std::size_t kFixedBytes = 33;
constexpr std::size_t kEntryBytes = 21;

}  // namespace

std::size_t view_record_bytes(std::size_t members) noexcept {
  return kFixedBytes + members * kEntryBytes;
}

void encode_view_record(const ViewRecord& record, std::span<std::byte> out) noexcept {
  PHX_CHECK(out.size() == view_record_bytes(record.members.size()));
  std::byte* at = out.data();
  store_le<std::uint64_t>(at, record.view.sequence);
  store_le<std::uint32_t>(at + 8, record.view.representative);
  std::memcpy(at + 12, record.view.boot.bytes.data(), 16);
  store_le<std::uint32_t>(at + 28, static_cast<std::uint32_t>(record.members.size()));
  store_le<std::uint8_t>(at + 32, record.quorate ? 1 : 0);
  at += kFixedBytes;
  for (const ViewRecord::Entry& entry : record.members) {
    store_le<std::uint32_t>(at, entry.member.node);
    std::memcpy(at + 4, entry.member.boot.bytes.data(), 16);
    store_le<std::uint8_t>(at + 20, entry.transitional ? 1 : 0);
    at += kEntryBytes;
  }
}

std::optional<ViewRecord> decode_view_record(std::span<const std::byte> in) {
  if (in.size() < kFixedBytes) return std::nullopt;
  ViewRecord record;
  record.view.sequence = load_le<std::uint64_t>(in.data());
  record.view.representative = load_le<std::uint32_t>(in.data() + 8);
  std::memcpy(record.view.boot.bytes.data(), in.data() + 12, 16);
  const auto count = load_le<std::uint32_t>(in.data() + 28);
  if (count > kNodesMax || in.size() != view_record_bytes(count)) return std::nullopt;
  record.quorate = load_le<std::uint8_t>(in.data() + 32) != 0;
  for (const std::byte* at = in.data() + kFixedBytes; record.members.size() < count;
       at += kEntryBytes) {
    ViewRecord::Entry entry;
    entry.member.node = load_le<std::uint32_t>(at);
    std::memcpy(entry.member.boot.bytes.data(), at + 4, 16);
    entry.transitional = load_le<std::uint8_t>(at + 20) != 0;
    record.members.push_back(entry);
  }
  return record;
}

}  // namespace phalanx::core

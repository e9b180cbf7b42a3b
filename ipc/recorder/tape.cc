#include "ipc/recorder/tape.h"

#include <algorithm>
#include <utility>

#include "ipc/base/assert.h"
#include "ipc/base/bytes.h"
#include "ipc/base/fields.h"

namespace phalanx::recorder {
namespace {

/// u32 bytes of payload, u32 kind, u64 number; payload; u64 check; padding to 8.
constexpr std::size_t kHeadBytes = 16;

std::uint64_t check_of(std::span<const std::byte> bytes) noexcept {
  FieldsDigest digest;
  digest.blob(bytes);
  return digest.value();
}

std::size_t record_bytes(std::size_t payload) noexcept {
  return round_up<std::size_t>(kHeadBytes + payload + 8, 8);
}

}  // namespace

TapeWriter::TapeWriter(std::span<std::byte> memory, const TapeLayout& layout)
    : memory_(memory), layout_(layout) {
  PHX_CHECK(memory.size() >= layout.bytes());
  store_le<std::uint64_t>(memory.data(), layout.magic);
}

std::span<std::byte> TapeWriter::segment() const noexcept {
  return memory_.subspan(TapeLayout::kHeaderBytes + current_ * layout_.segment_bytes,
                         layout_.segment_bytes);
}

bool TapeWriter::append(std::uint32_t kind, std::span<const std::byte> head, Parts parts) noexcept {
  std::size_t payload = head.size();
  for (const auto part : parts) payload += part.size();
  const std::size_t bytes = record_bytes(payload);
  const std::span<std::byte> room = segment().subspan(at_);
  if (bytes > room.size()) return false;
  store_le<std::uint32_t>(room.data(), static_cast<std::uint32_t>(payload));
  store_le<std::uint32_t>(room.data() + 4, kind);
  store_le<std::uint64_t>(room.data() + 8, ++number_);
  auto* at = std::ranges::copy(head, room.data() + kHeadBytes).out;
  for (const auto part : parts) at = std::copy(part.begin(), part.end(), at);
  store_le<std::uint64_t>(at, check_of(room.first(kHeadBytes + payload)));
  at_ += bytes;
  return true;
}

void TapeWriter::turn_over() noexcept {
  current_ = 1 - current_;
  at_ = 0;
  // A reader in between finds no segment here, instead of half of an old one.
  std::fill_n(segment().begin(), kHeadBytes, std::byte{0});
}

bool is_tape(std::span<const std::byte> file, const TapeLayout& layout) noexcept {
  return file.size() >= TapeLayout::kHeaderBytes &&
         load_le<std::uint64_t>(file.data()) == layout.magic;
}

std::vector<TapeRecord> read_tape(std::span<const std::byte> file, const TapeLayout& layout) {
  const auto read_segment = [](std::span<const std::byte> bytes) {
    std::vector<TapeRecord> records;
    while (bytes.size() >= kHeadBytes + 8) {
      const std::size_t size = load_le<std::uint32_t>(bytes.data());
      const auto kind = load_le<std::uint32_t>(bytes.data() + 4);
      const auto number = load_le<std::uint64_t>(bytes.data() + 8);
      const bool image = kind == TapeWriter::kImage;
      if (size > bytes.size() - kHeadBytes - 8 || (!image && kind != TapeWriter::kStep)) break;
      const auto checked = bytes.first(kHeadBytes + size);
      if (load_le<std::uint64_t>(bytes.data() + kHeadBytes + size) != check_of(checked)) break;
      // What an earlier round left behind the end does not follow on.
      const bool follows = records.empty() ? image : number == records.back().number + 1;
      if (!follows) break;
      records.push_back({image, number, checked.subspan(kHeadBytes)});
      bytes = bytes.subspan(std::min(record_bytes(size), bytes.size()));
    }
    return records;
  };
  if (!is_tape(file, layout)) return {};
  file = file.subspan(TapeLayout::kHeaderBytes);
  auto one = read_segment(file.first(std::min(file.size(), layout.segment_bytes)));
  std::vector<TapeRecord> two;
  if (file.size() > layout.segment_bytes) {
    file = file.subspan(layout.segment_bytes);
    two = read_segment(file.first(std::min(file.size(), layout.segment_bytes)));
  }
  if (!one.empty() && !two.empty() && two.front().number < one.front().number) std::swap(one, two);
  one.insert(one.end(), two.begin(), two.end());
  return one;
}

}  // namespace phalanx::recorder

#pragma once

#include <cstdint>
#include <span>

#include "dataplane/core/record.h"
#include "ipc/base/assert.h"

namespace phalanx::core {

/// A record that local readers may have, in place in log memory.
struct LocalRecord {
  RecordHeader header;
  std::span<const std::byte> payload;
  bool transitional = false;  ///< Delivered in the transitional part of its view.
};

/// A lane's local reader: steps through log memory record by record. All of it is in this header
/// because it runs once a record; the lane, its owner, says up to where and looks now and then how
/// far it came. The worker's thread only.
class LocalReader {
 public:
  /// `log` is mapped twice; offset o lives at o mod `bytes`, a power of two.
  LocalReader(const std::byte* log, std::uint64_t bytes) noexcept : log_(log), mask_(bytes - 1) {}

  /// False when there is none now.
  [[nodiscard]] bool peek(LocalRecord& out) noexcept {
    if (at_ >= end_) return false;
    const std::byte* record = log_ + (at_ & mask_);
    out.header = decode_record_header(record);
    out.payload = {record + kRecordHeaderBytes, out.header.payload_bytes};
    next_ = at_ + record_bytes(out.header.payload_bytes);
    if (out.header.kind >= RecordKind::Transitional) [[unlikely]]
      transitional_ = out.header.kind == RecordKind::Transitional;
    out.transitional = transitional_;
    return true;
  }

  /// Consumes the record of the last peek(), which moves this node's limit.
  void pop() noexcept {
    PHX_CHECK(at_ < next_ && next_ <= end_);
    at_ = next_;
  }

  /// Local offset of the next record.
  [[nodiscard]] std::uint64_t at() const noexcept { return at_; }
  /// A replay's: it was there.
  void set_at(std::uint64_t at) noexcept { at_ = next_ = at; }
  /// The lane's: records end at `end` for now.
  void set_end(std::uint64_t end) noexcept { end_ = end; }

 private:
  const std::byte* log_;
  std::uint64_t mask_;
  std::uint64_t at_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t end_ = 0;
  bool transitional_ = false;
};

}  // namespace phalanx::core

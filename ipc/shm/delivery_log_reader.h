#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ipc/shm/bulk_ring.h"
#include "ipc/shm/channel_layout.h"

namespace phalanx::shm {

struct DeliveryLogPage;

/// A client's way through the shared log, which it maps read-only. The worker never waits for a
/// reader: one that lags by most of the log is evicted, and from then on it is written over. So a
/// piece is copied out first and looked at only when this client was still a reader behind the
/// copy; what its callbacks get is that copy. Needs libc only. One thread.
class DeliveryLogReader {
 public:
  DeliveryLogReader() = default;
  DeliveryLogReader(const DeliveryLogReader&) = delete;
  DeliveryLogReader& operator=(const DeliveryLogReader&) = delete;
  ~DeliveryLogReader() { close(); }

  /// False leaves errno (EPROTO: not such a log).
  [[nodiscard]] bool open(int fd, std::uint64_t bytes, ChannelPage& page) noexcept;
  void close() noexcept;
  /// In a child of fork(), which has not inherited the mappings.
  void forget() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return log_ != nullptr; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  /// Whether something waits.
  [[nodiscard]] bool refresh(std::memory_order order) noexcept;
  /// The next record of the copy; copies a piece when the one before was given back.
  [[nodiscard]] bool peek(BulkRecord& out) noexcept;
  void pop() noexcept { at_ += record_; }
  /// The copy is used up: release() before the next record. Nothing of it may be used then.
  [[nodiscard]] bool release_is_due() const noexcept { return at_ == filled_ && filled_ > 0; }
  void release() noexcept {
    if (at_ == filled_) at_ = filled_ = 0;
  }
  /// Bytes that wait, in the copy or, as of the last look, in the log.
  [[nodiscard]] std::uint64_t queued_bytes() const noexcept {
    return filled_ - at_ + (filled_ == 0 || at_ < filled_ ? tail_ - head_ : 0);
  }
  /// Published and not copied, whoever asks; for display.
  [[nodiscard]] std::uint64_t backlog_bytes() const noexcept;
  [[nodiscard]] bool broken() const noexcept { return broken_; }

 private:
  [[nodiscard]] bool begun() noexcept;
  [[nodiscard]] bool is_evicted() const noexcept;
  [[nodiscard]] bool copy_piece() noexcept;
  [[nodiscard]] bool make_room(std::uint64_t bytes) noexcept;

  ChannelPage* page_ = nullptr;
  const DeliveryLogPage* log_ = nullptr;
  std::byte* data_ = nullptr;
  std::uint64_t bytes_ = 0;
  std::uint64_t head_ = kNotInLog;  ///< Copied up to here.
  std::uint64_t tail_ = kNotInLog;  ///< Published up to here, at least.
  std::byte* copy_ = nullptr;       ///< Whole records,
  std::uint64_t room_ = 0;          ///< up to so many bytes,
  std::uint64_t filled_ = 0;        ///< of which there are these,
  std::uint64_t at_ = 0;            ///< and these were popped.
  std::uint64_t record_ = 0;        ///< Of the last peek.
  bool broken_ = false;
};

}  // namespace phalanx::shm

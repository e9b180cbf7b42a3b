#pragma once

#include <cstdint>
#include <span>

#include "ipc/replica/buffer.h"

namespace phalanx::replica {

/// Own operations without an answer, in the form in which they travel, so that a batch of them is
/// sent from where they lie: each u32 bytes, u32 0, bytes, zeros to 8.
class Pending {
 public:
  static constexpr std::size_t kEntryBytes = 8;

  explicit Pending(std::size_t bytes_max) noexcept : bytes_max_(bytes_max) {}

  [[nodiscard]] static std::size_t entry_bytes(std::size_t operation) noexcept {
    return kEntryBytes + round_up<std::size_t>(operation, 8);
  }

  [[nodiscard]] bool push(std::span<const std::byte> operation, std::uint64_t ticket) noexcept {
    const std::size_t need = entry_bytes(operation.size());
    if (bytes_.size() + need > bytes_max_ && count_ != 0) return false;
    if (!tickets_.put(ticket)) return false;
    std::byte* out = bytes_.extend(need);
    if (out == nullptr) {
      tickets_.shrink_to(tickets_.size() - 8);
      return false;
    }
    store_le<std::uint64_t>(out, operation.size());
    if (need > kEntryBytes) store_le<std::uint64_t>(out + need - 8, 0);
    if (!operation.empty()) std::memcpy(out + kEntryBytes, operation.data(), operation.size());
    ++count_;
    return true;
  }

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t first_number() const noexcept { return first_; }
  /// Number of the first that was not sent.
  [[nodiscard]] std::uint64_t unsent_number() const noexcept { return unsent_; }

  /// Takes the first out; returns its ticket.
  std::uint64_t pop() noexcept {
    const std::size_t size = entry_size(0);
    const auto ticket = load_le<std::uint64_t>(tickets_.data());
    tickets_.consume(8);
    bytes_.consume(size);
    --count_;
    ++first_;
    if (unsent_ < first_) unsent_ = first_;
    sent_bytes_ = sent_bytes_ > size ? sent_bytes_ - size : 0;
    return ticket;
  }
  /// All are to be sent again.
  void rewind() noexcept {
    sent_bytes_ = 0;
    unsent_ = first_;
  }

  struct Batch {
    std::span<const std::byte> bytes;
    std::uint64_t count = 0;
  };
  /// The next ones to send: as many as fit, one at least when there is any.
  [[nodiscard]] Batch next(std::size_t bytes_max) const noexcept {
    Batch batch;
    std::size_t at = sent_bytes_;
    while (at < bytes_.size()) {
      const std::size_t size = entry_size(at);
      if (batch.count != 0 && at + size - sent_bytes_ > bytes_max) break;
      at += size;
      ++batch.count;
    }
    batch.bytes = bytes_.bytes().subspan(sent_bytes_, at - sent_bytes_);
    return batch;
  }
  void sent(const Batch& batch) noexcept {
    sent_bytes_ += batch.bytes.size();
    unsent_ += batch.count;
  }

 private:
  [[nodiscard]] std::size_t entry_size(std::size_t at) const noexcept {
    return entry_bytes(static_cast<std::size_t>(load_le<std::uint64_t>(bytes_.data() + at)));
  }

  std::size_t bytes_max_;
  Buffer bytes_;
  Buffer tickets_;
  std::size_t count_ = 0;
  std::uint64_t first_ = 1;  ///< Number of the first.
  std::uint64_t unsent_ = 1;
  std::size_t sent_bytes_ = 0;
};

}  // namespace phalanx::replica

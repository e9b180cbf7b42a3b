#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>

#include "ipc/base/bytes.h"

namespace phalanx::replica {

/// Bytes that grow at the end and are consumed at the front. Plain malloc(), since the client
/// library knows no other; growing says false when there is no memory, and nothing has changed.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() { std::free(memory_); }

  [[nodiscard]] const std::byte* data() const noexcept { return memory_ + begin_; }
  [[nodiscard]] std::byte* data() noexcept { return memory_ + begin_; }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data(), size()}; }

  void clear() noexcept { begin_ = end_ = 0; }
  /// Gives the memory back too.
  void release() noexcept {
    std::free(memory_);
    memory_ = nullptr;
    capacity_ = 0;
    clear();
  }
  void consume(std::size_t count) noexcept {
    begin_ += count;
    if (begin_ == end_) clear();
  }
  /// Takes back what was appended last.
  void shrink_to(std::size_t size) noexcept { end_ = begin_ + size; }

  /// Room for `count` more bytes, or nullptr.
  [[nodiscard]] std::byte* extend(std::size_t count) noexcept {
    if (count > capacity_ - end_ && !make_room(count)) return nullptr;
    std::byte* room = memory_ + end_;
    end_ += count;
    return room;
  }
  [[nodiscard]] bool append(const void* from, std::size_t count) noexcept {
    std::byte* room = extend(count);
    if (room == nullptr) return false;
    if (count != 0) std::memcpy(room, from, count);
    return true;
  }
  template <class T>
  [[nodiscard]] bool put(T value) noexcept {
    std::byte* room = extend(sizeof value);
    if (room != nullptr) store_le<T>(room, value);
    return room != nullptr;
  }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(capacity_, other.capacity_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
  }
  [[nodiscard]] bool make_room(std::size_t count) noexcept {
    const std::size_t kept = size();
    if (begin_ >= kept + count && begin_ > 0) {  // Moved at most once for each byte consumed.
      std::memmove(memory_, memory_ + begin_, kept);
      begin_ = 0;
      end_ = kept;
      return true;
    }
    std::size_t capacity = capacity_ < 256 ? 256 : capacity_ * 2;
    while (capacity < kept + count) capacity *= 2;
    auto* memory = static_cast<std::byte*>(std::malloc(capacity));
    if (memory == nullptr) return false;
    if (kept != 0) std::memcpy(memory, memory_ + begin_, kept);
    std::free(memory_);
    memory_ = memory;
    capacity_ = capacity;
    begin_ = 0;
    end_ = kept;
    return true;
  }

  std::byte* memory_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

/// Reads what put() and append() wrote, from bytes that anyone may have written.
class BufferReader {
 public:
  explicit BufferReader(std::span<const std::byte> bytes) noexcept : rest_(bytes) {}

  template <class T>
  [[nodiscard]] T take() noexcept {
    const std::span<const std::byte> bytes = take_bytes(sizeof(T));
    return bytes.size() == sizeof(T) ? load_le<T>(bytes.data()) : T{};
  }
  [[nodiscard]] std::span<const std::byte> take_bytes(std::size_t count) noexcept {
    if (count > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    const std::span<const std::byte> out = rest_.first(count);
    rest_ = rest_.subspan(count);
    return out;
  }
  [[nodiscard]] std::span<const std::byte> rest() const noexcept { return rest_; }
  [[nodiscard]] bool good() const noexcept { return good_; }
  [[nodiscard]] bool done() const noexcept { return good_ && rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
  bool good_ = true;
};

}  // namespace phalanx::replica

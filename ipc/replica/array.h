#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <span>
#include <type_traits>

#include "ipc/base/assert.h"

namespace phalanx::replica {

/// A short table of plain values: members, origins. Bounded by the size of the group, so that no
/// memory for it is the end of the process, as in any table of this library's size.
template <class T>
class Array {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Array() = default;
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() { std::free(items_); }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] T* begin() noexcept { return items_; }
  [[nodiscard]] T* end() noexcept { return items_ + size_; }
  [[nodiscard]] const T* begin() const noexcept { return items_; }
  [[nodiscard]] const T* end() const noexcept { return items_ + size_; }
  [[nodiscard]] T& operator[](std::size_t i) noexcept { return items_[i]; }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return items_[i]; }

  void clear() noexcept { size_ = 0; }
  /// Puts a value in front of `at`; returns where it is now.
  T* insert(T* at, const T& value) noexcept {
    const std::size_t index = items_ == nullptr ? 0 : static_cast<std::size_t>(at - items_);
    if (size_ == capacity_) grow();
    std::memmove(items_ + index + 1, items_ + index, (size_ - index) * sizeof(T));
    items_[index] = value;
    ++size_;
    return items_ + index;
  }
  void push_back(const T& value) noexcept { insert(end(), value); }
  void erase(T* at) noexcept {
    std::memmove(at, at + 1, static_cast<std::size_t>(end() - at - 1) * sizeof(T));
    --size_;
  }
  void assign(std::span<const T> values) noexcept {
    clear();
    for (const T& value : values) push_back(value);
  }

 private:
  void grow() noexcept {
    const std::size_t capacity = capacity_ == 0 ? 16 : capacity_ * 2;
    auto* items = static_cast<T*>(std::realloc(items_, capacity * sizeof(T)));
    PHX_CHECK(items != nullptr);
    items_ = items;
    capacity_ = capacity;
  }

  T* items_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace phalanx::replica

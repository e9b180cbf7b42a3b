#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "transport/wire/secret_memory.h"

namespace phalanx::wire {

/// Overwrites memory in a way that no compiler removes.
void wipe(std::span<std::uint8_t> secret) noexcept;
/// Compares in a time that does not tell where they differ. Of equal length.
[[nodiscard]] bool same_secret(std::span<const std::uint8_t> a,
                               std::span<const std::uint8_t> b) noexcept;

/// 32 secret bytes in memory of allocate_secret(), wiped when they go. Copying is explicit: every
/// copy is one more place to look after. One that was moved from is all zeros.
class Secret {
 public:
  static constexpr std::size_t kBytes = 32;

  Secret() : bytes_(static_cast<std::uint8_t*>(allocate_secret(kBytes))) {}
  explicit Secret(std::span<const std::uint8_t, kBytes> from) : Secret() {
    std::copy(from.begin(), from.end(), bytes_);
  }
  Secret(Secret&& other) noexcept : Secret() { std::swap(bytes_, other.bytes_); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      std::swap(bytes_, other.bytes_);
      wipe(other.mutable_bytes());
    }
    return *this;
  }
  ~Secret() { free_secret(bytes_, kBytes); }

  [[nodiscard]] Secret clone() const noexcept { return Secret(bytes()); }
  [[nodiscard]] std::span<const std::uint8_t, kBytes> bytes() const noexcept {
    return std::span<const std::uint8_t, kBytes>(bytes_, kBytes);
  }
  [[nodiscard]] std::span<std::uint8_t, kBytes> mutable_bytes() noexcept {
    return std::span<std::uint8_t, kBytes>(bytes_, kBytes);
  }
  friend bool operator==(const Secret& a, const Secret& b) noexcept {
    return same_secret(a.bytes(), b.bytes());
  }

 private:
  std::uint8_t* bytes_;
};

}  // namespace phalanx::wire

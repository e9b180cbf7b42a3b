#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace phalanx::wire {

/// Overwrites memory in a way that no compiler removes.
void wipe(std::span<std::uint8_t> secret) noexcept;
/// Compares in a time that does not tell where they differ. Of equal length.
[[nodiscard]] bool same_secret(std::span<const std::uint8_t> a,
                               std::span<const std::uint8_t> b) noexcept;

/// 32 secret bytes that are wiped when they go. Copying is explicit: every copy is one more place
/// to look after.
class Secret {
 public:
  static constexpr std::size_t kBytes = 32;

  Secret() = default;
  explicit Secret(std::span<const std::uint8_t, kBytes> from) noexcept {
    std::copy(from.begin(), from.end(), bytes_.begin());
  }
  Secret(Secret&& other) noexcept : Secret(other.bytes()) { wipe(other.bytes_); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      wipe(other.bytes_);
    }
    return *this;
  }
  ~Secret() { wipe(bytes_); }

  [[nodiscard]] Secret clone() const noexcept { return Secret(bytes()); }
  [[nodiscard]] std::span<const std::uint8_t, kBytes> bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::span<std::uint8_t, kBytes> mutable_bytes() noexcept { return bytes_; }
  friend bool operator==(const Secret& a, const Secret& b) noexcept {
    return same_secret(a.bytes(), b.bytes());
  }

 private:
  std::array<std::uint8_t, kBytes> bytes_{};
};

}  // namespace phalanx::wire

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "ipc/base/bytes.h"
#include "ipc/base/ids.h"

namespace phalanx {

/// A machine's state as bytes and back: it shows its fields to a visitor, in one order both ways.
/// FieldsOut writes them, little-endian, FieldsCount says how long that is, FieldsIn reads them off
/// hostile bytes, FieldsDigest only tells two states apart (kDigest: what follows from other fields
/// need not be shown).
class FieldsOut {
 public:
  static constexpr bool kDigest = false;

  explicit FieldsOut(std::vector<std::byte>& out) : out_(out) {}

  template <std::unsigned_integral T>
  void operator()(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      out_.push_back(static_cast<std::byte>(value ? 1 : 0));
    } else {
      const std::size_t at = out_.size();
      out_.resize(at + sizeof value);
      store_le<T>(out_.data() + at, value);
    }
  }
  template <class E>
  requires std::is_enum_v<E>
  void operator()(const E& value) { (*this)(static_cast<std::uint8_t>(value)); }
  void operator()(const BootId& boot) {
    for (const std::uint8_t byte : boot.bytes) out_.push_back(static_cast<std::byte>(byte));
  }
  template <class T, class Each>
  void list(const std::vector<T>& items, Each each) {
    (*this)(static_cast<std::uint8_t>(items.size()));
    for (const T& item : items) each(item);
  }
  void blob(std::span<const std::byte> bytes) {
    (*this)(static_cast<std::uint32_t>(bytes.size()));
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }
  /// Room for one, to be filled at once.
  std::span<std::byte> blob(std::size_t bytes) {
    (*this)(static_cast<std::uint32_t>(bytes));
    out_.resize(out_.size() + bytes);
    return std::span(out_).last(bytes);
  }

 private:
  std::vector<std::byte>& out_;
};

/// No allocation.
class FieldsCount {
 public:
  static constexpr bool kDigest = false;

  template <std::unsigned_integral T>
  void operator()(const T&) noexcept {
    bytes_ += sizeof(T);
  }
  template <class E>
  requires std::is_enum_v<E>
  void operator()(const E&) noexcept { bytes_ += 1; }
  void operator()(const BootId& boot) noexcept { bytes_ += boot.bytes.size(); }
  template <class T, class Each>
  void list(const std::vector<T>& items, Each each) {
    bytes_ += 1;
    for (const T& item : items) each(item);
  }
  void blob(std::size_t bytes) noexcept { bytes_ += 4 + bytes; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

/// The first field that is missing makes every later one zero and finished() false.
class FieldsIn {
 public:
  static constexpr bool kDigest = false;

  explicit FieldsIn(std::span<const std::byte> bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  void operator()(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = take<std::uint8_t>() != 0;
    } else {
      value = take<T>();
    }
  }
  template <class E>
  requires std::is_enum_v<E>
  void operator()(E& value) { value = static_cast<E>(take<std::uint8_t>()); }
  void operator()(BootId& boot) {
    for (std::uint8_t& byte : boot.bytes) byte = take<std::uint8_t>();
  }
  /// Of nodes, or of something for each of them.
  template <class T, class Each>
  void list(std::vector<T>& items, Each each) {
    items.resize(std::min<std::size_t>(take<std::uint8_t>(), kNodesMax));
    for (T& item : items) each(item);
  }
  std::span<const std::byte> blob() {
    const std::size_t size = take<std::uint32_t>();
    if (!require(size <= rest_.size())) return {};
    const auto bytes = rest_.first(size);
    rest_ = rest_.subspan(size);
    return bytes;
  }
  /// Notes whether a rule holds; returns whether all have held so far.
  bool require(bool holds) noexcept { return ok_ = ok_ && holds; }
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] std::span<const std::byte> rest() const noexcept { return rest_; }
  [[nodiscard]] bool finished() const noexcept { return ok_ && rest_.empty(); }

 private:
  template <std::unsigned_integral T>
  T take() {
    if (!require(rest_.size() >= sizeof(T))) return 0;
    const T value = load_le<T>(rest_.data());
    rest_ = rest_.subspan(sizeof(T));
    return value;
  }

  std::span<const std::byte> rest_;
  bool ok_ = true;
};

/// No allocation.
class FieldsDigest {
 public:
  static constexpr bool kDigest = true;

  template <std::unsigned_integral T>
  void operator()(const T& value) noexcept {
    value_ = (value_ ^ static_cast<std::uint64_t>(value)) * 0x9fb21c651e98df25;
    value_ ^= value_ >> 32;
  }
  template <class E>
  requires std::is_enum_v<E>
  void operator()(const E& value) noexcept { (*this)(static_cast<std::uint8_t>(value)); }
  void operator()(const BootId& boot) noexcept {
    for (const std::uint8_t byte : boot.bytes) (*this)(byte);
  }
  void blob(std::span<const std::byte> bytes) noexcept {
    (*this)(bytes.size());
    for (; bytes.size() >= 8; bytes = bytes.subspan(8))
      (*this)(load_le<std::uint64_t>(bytes.data()));
    for (const std::byte byte : bytes) (*this)(std::to_integer<std::uint8_t>(byte));
  }
  template <class T, class Each>
  void list(const std::vector<T>& items, Each each) {
    (*this)(items.size());
    for (const T& item : items) each(item);
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325;
};

}  // namespace phalanx

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ipc/base/bytes.h"
#include "ipc/base/ids.h"

namespace phalanx::wire {

/// Appends little-endian fields to a byte vector. Cold path.
class Writer {
 public:
  explicit Writer(std::vector<std::byte>& out) : out_(out) {}

  template <std::unsigned_integral T>
  void put(T value) {
    const std::size_t at = out_.size();
    out_.resize(at + sizeof value);
    store_le<T>(out_.data() + at, value);
  }

  void put(const BootId& boot) {
    for (const std::uint8_t byte : boot.bytes) out_.push_back(static_cast<std::byte>(byte));
  }

  void put(const ViewId& view) {
    put(view.sequence);
    put(view.representative);
    put(view.boot);
  }

  void put(std::span<const Member> members) {
    put(static_cast<std::uint8_t>(members.size()));
    for (const Member& member : members) {
      put(member.node);
      put(member.boot);
    }
  }

 private:
  std::vector<std::byte>& out_;
};

/// Takes little-endian fields off hostile bytes. The first field that is missing or wrong makes
/// every later one zero and finished() false, so that a decoder checks once, at its end.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) noexcept : rest_(bytes) {}

  template <std::unsigned_integral T>
  [[nodiscard]] T take() noexcept {
    if (!require(rest_.size() >= sizeof(T))) return 0;
    const T value = load_le<T>(rest_.data());
    rest_ = rest_.subspan(sizeof(T));
    return value;
  }

  [[nodiscard]] BootId take_boot() noexcept {
    BootId boot;
    for (std::uint8_t& byte : boot.bytes) byte = take<std::uint8_t>();
    return boot;
  }

  /// A view id. "None" is written in one way only: all zero.
  [[nodiscard]] ViewId take_view() noexcept {
    ViewId view;
    view.sequence = take<std::uint64_t>();
    view.representative = take<std::uint32_t>();
    view.boot = take_boot();
    require(view.is_none() ? view == ViewId{} : view.representative != 0);
    return view;
  }

  /// A view id that must not be none.
  [[nodiscard]] ViewId take_some_view() noexcept {
    const ViewId view = take_view();
    require(!view.is_none());
    return view;
  }

  /// A count, checked against its limit and against the bytes that its items need at least.
  template <std::unsigned_integral T>
  [[nodiscard]] std::size_t take_count(std::size_t limit, std::size_t item_bytes) noexcept {
    const std::size_t count = take<T>();
    return require(count <= limit && count <= rest_.size() / item_bytes) ? count : 0;
  }

  /// Members with strictly growing node ids, none of them 0.
  [[nodiscard]] std::vector<Member> take_members() {
    std::vector<Member> members(take_count<std::uint8_t>(kNodesMax, kMemberBytes));
    NodeId before = 0;
    for (Member& member : members) {
      member.node = take<std::uint32_t>();
      member.boot = take_boot();
      require(member.node > before);
      before = member.node;
    }
    return members;
  }

  /// Notes whether a rule holds; returns whether all rules have held so far.
  bool require(bool holds) noexcept {
    ok_ = ok_ && holds;
    if (!ok_) rest_ = {};
    return ok_;
  }

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  /// Every rule held and no byte is left over.
  [[nodiscard]] bool finished() const noexcept { return ok_ && rest_.empty(); }

  static constexpr std::size_t kMemberBytes = 20;

 private:
  std::span<const std::byte> rest_;
  bool ok_ = true;
};

}  // namespace phalanx::wire

#pragma once

/// @file
/// Replicated state for C++20: a thin, header-only owner over replica.h.

#include <phalanx/replica.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace phalanx {

/// Where a state writes itself to.
class ReplicaWriter {
 public:
  explicit ReplicaWriter(phx_replica_writer* writer) noexcept : writer_(writer) {}
  void write(std::span<const std::byte> bytes) noexcept {
    good_ = good_ && phx_replica_write(writer_, bytes.data(), bytes.size()) == PHX_OK;
  }
  void write(std::string_view text) noexcept { write(std::as_bytes(std::span(text))); }
  template <class T>
  requires std::is_trivially_copyable_v<T> &&
      (!std::convertible_to<T, std::string_view>)void write(const T& value) noexcept {
    write(std::as_bytes(std::span(&value, 1)));
  }
  [[nodiscard]] bool good() const noexcept { return good_; }

 private:
  phx_replica_writer* writer_;
  bool good_ = true;
};

/// A state on which operations are carried out. No function may throw. apply() gives 0, or refuses
/// with anything else; snapshot() writes all of it, restore() reads that, and nothing means the
/// state of a new one; merge() takes in what another side has done.
template <class S>
concept ReplicatedState = requires(S state, const phx_replica_operation& operation,
                                   ReplicaWriter& writer, std::span<const std::byte> bytes) {
  { state.apply(operation) } -> std::convertible_to<std::int64_t>;
  { state.merge(operation) } -> std::convertible_to<bool>;
  { state.snapshot(writer) } -> std::convertible_to<bool>;
  { state.restore(bytes, std::uint32_t{}) } -> std::convertible_to<bool>;
};

/// Owns one replica and the state in it. Move-only. Thread rule as in replica.h.
template <ReplicatedState State>
class Replica {
 public:
  struct Handlers {
    std::function<void(std::uint64_t ticket, phx_status status, std::int64_t result)> answer;
    std::function<void(const phx_replica_report& report)> report;
  };

  /// `options` without callbacks and context, which are ours.
  [[nodiscard]] phx_status open(std::string_view group, Handlers handlers = {},
                                phx_replica_options options = {}, State initial = {}) {
    close();
    self_ = std::make_unique<Self>(Self{std::move(initial), std::move(handlers)});
    options.struct_bytes = sizeof options;
    options.callbacks = {.snapshot = snapshot,
                         .restore = restore,
                         .apply = apply,
                         .merge = merge,
                         .answer = answer,
                         .report = report};
    options.context = self_.get();
    options.group = group.data();
    options.group_bytes = group.size();
    phx_replica* replica = nullptr;
    const phx_status status = phx_replica_open(&options, &replica);
    replica_.reset(replica);
    return status;
  }
  void close() noexcept { replica_.reset(); }

  [[nodiscard]] phx_status submit(std::span<const std::byte> operation,
                                  std::uint64_t ticket = 0) noexcept {
    return phx_replica_submit(replica_.get(), operation.data(), operation.size(), ticket);
  }
  [[nodiscard]] phx_status dispatch(int timeout_ms) noexcept {
    return phx_replica_dispatch(replica_.get(), timeout_ms);
  }
  [[nodiscard]] phx_replica_status status() const noexcept {
    phx_replica_status status{};
    (void)phx_replica_state(replica_.get(), &status);
    return status;
  }
  /// Also while the replica is not live: then it is an old one.
  [[nodiscard]] const State& state() const noexcept { return self_->state; }
  /// The pollable descriptor, or -1.
  [[nodiscard]] int fd() const noexcept {
    int fd = -1;
    return phx_replica_fd(replica_.get(), &fd) == PHX_OK ? fd : -1;
  }

 private:
  struct Self {
    State state;
    Handlers handlers;
  };
  struct Closer {
    void operator()(phx_replica* replica) const noexcept { phx_replica_close(replica); }
  };

  static Self& of(void* context) noexcept { return *static_cast<Self*>(context); }
  static int snapshot(void* context, phx_replica_writer* out) {
    ReplicaWriter writer(out);
    return of(context).state.snapshot(writer) && writer.good() ? 0 : 1;
  }
  static int restore(void* context, const void* data, std::size_t bytes, std::uint32_t version) {
    return of(context).state.restore(std::span(static_cast<const std::byte*>(data), bytes), version)
               ? 0
               : 1;
  }
  static std::int64_t apply(void* context, const phx_replica_operation* operation) {
    return of(context).state.apply(*operation);
  }
  static int merge(void* context, const phx_replica_operation* operation) {
    return of(context).state.merge(*operation) ? 0 : 1;
  }
  static void answer(void* context, std::uint64_t ticket, phx_status status, std::int64_t result) {
    if (of(context).handlers.answer) of(context).handlers.answer(ticket, status, result);
  }
  static void report(void* context, const phx_replica_report* told) {
    if (of(context).handlers.report) of(context).handlers.report(*told);
  }

  std::unique_ptr<Self> self_;  ///< Its address is what the library calls back with.
  std::unique_ptr<phx_replica, Closer> replica_;
};

}  // namespace phalanx

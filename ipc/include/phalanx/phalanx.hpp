#pragma once

/// @file
/// Phalanx for C++20: a thin, header-only owner over phalanx.h. Errors stay values (phx_status);
/// only what a program cannot go on without, attaching, may throw if it is asked to.

#include <phalanx/phalanx.h>

#include <cstddef>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phalanx {

/// What a program wants to hear of. Empty functions are not called. They run inside
/// Client::dispatch(), in its thread; what they are given is valid until they return. An exception
/// must not leave them: they are called through C.
struct Handlers {
  std::function<void(const phx_message&)> message;
  std::function<void(const phx_group_view&)> group_view;
  std::function<void(const phx_node_view&)> node_view;
  std::function<void(const phx_connection&)> connection;
  std::function<void(const phx_quorum_view&)> quorum = {};
  /// Instead of `message`, if set: messages that follow one another, together.
  std::function<void(std::span<const phx_message>)> messages = {};
};

struct AttachOptions {
  std::string instance = "default";
  std::string runtime_directory;        ///< Empty: where the daemons put it.
  std::string program;                  ///< Empty: the program's name.
  std::size_t submit_ring_bytes = 0;    ///< 0: the default.
  std::size_t delivery_ring_bytes = 0;  ///< 0: the default.
  int attach_timeout_ms = 0;            ///< 0: the default.
  bool reattach = true;
};

/// A message's bytes as text or bytes, without a copy.
[[nodiscard]] inline std::string_view text_of(const phx_message& message) noexcept {
  return {static_cast<const char*>(message.data), message.bytes};
}
[[nodiscard]] inline std::span<const std::byte> bytes_of(const phx_message& message) noexcept {
  return {static_cast<const std::byte*>(message.data), message.bytes};
}

/// Owns one attachment and detaches at its end. Move-only. Thread rule as in phalanx.h: any thread
/// may send, one at a time dispatches; moving and destroying exclude everything else.
class Client {
 public:
  Client() = default;
  Client(Client&& other) noexcept
      : handle_(std::exchange(other.handle_, 0)),
        handlers_(std::exchange(other.handlers_, nullptr)) {}
  Client& operator=(Client&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(handlers_, other.handlers_);
    return *this;
  }
  ~Client() { detach(); }

  /// Attaches; on anything but PHX_OK the object stays detached.
  [[nodiscard]] phx_status attach(Handlers handlers, const AttachOptions& options = {}) {
    detach();
    handlers_ = new Handlers(std::move(handlers));
    phx_options c{};
    c.struct_bytes = sizeof c;
    c.callbacks = {.message = call<&Handlers::message, phx_message>,
                   .group_view = call<&Handlers::group_view, phx_group_view>,
                   .node_view = call<&Handlers::node_view, phx_node_view>,
                   .connection = call<&Handlers::connection, phx_connection>,
                   .quorum = call<&Handlers::quorum, phx_quorum_view>,
                   .messages = handlers_->messages ? call_messages : nullptr};
    c.context = handlers_;
    c.instance = options.instance.c_str();
    c.runtime_directory = options.runtime_directory.c_str();
    c.program = options.program.empty() ? nullptr : options.program.c_str();
    c.submit_ring_bytes = options.submit_ring_bytes;
    c.delivery_ring_bytes = options.delivery_ring_bytes;
    c.attach_timeout_ms = options.attach_timeout_ms;
    c.no_reattach = options.reattach ? 0 : 1;
    const phx_status status = phx_initialize(&c, &handle_);
    if (status != PHX_OK) detach();
    return status;
  }
  /// As attach(), for programs that end when they cannot.
  [[nodiscard]] static Client attached_or_throw(Handlers handlers,
                                                const AttachOptions& options = {}) {
    Client client;
    const phx_status status = client.attach(std::move(handlers), options);
    if (status != PHX_OK) throw std::runtime_error(std::string("phalanx: ") + phx_strerror(status));
    return client;
  }
  /// Not from a handler: the handlers go with it.
  void detach() noexcept {
    if (handle_ != 0) phx_finalize(handle_);
    handle_ = 0;
    delete std::exchange(handlers_, nullptr);
  }

  [[nodiscard]] phx_status join(std::string_view name, phx_group& group) const noexcept {
    return phx_join(handle_, name.data(), name.size(), &group);
  }
  [[nodiscard]] phx_status open(std::string_view name, phx_group& group) const noexcept {
    return phx_open(handle_, name.data(), name.size(), &group);
  }
  [[nodiscard]] phx_status leave(phx_group group) const noexcept {
    return phx_leave(handle_, group);
  }
  [[nodiscard]] phx_status close(phx_group group) const noexcept {
    return phx_close(handle_, group);
  }

  [[nodiscard]] phx_status multicast(phx_group group, std::span<const iovec> parts,
                                     phx_guarantee guarantee = PHX_AGREED) const noexcept {
    return phx_multicast(handle_, group, parts.data(), parts.size(), guarantee);
  }
  [[nodiscard]] phx_status multicast(phx_group group, std::string_view text,
                                     phx_guarantee guarantee = PHX_AGREED) const noexcept {
    const iovec part{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
    return phx_multicast(handle_, group, &part, 1, guarantee);
  }

  /// `accepted`: how many of them, from the first on.
  [[nodiscard]] phx_status multicast_batch(phx_group group, std::span<const iovec> messages,
                                           std::size_t& accepted,
                                           phx_guarantee guarantee = PHX_AGREED) const noexcept {
    return phx_multicast_batch(handle_, group, messages.data(), messages.size(), guarantee,
                               &accepted);
  }

  /// Room to build messages in place, for the first `reserved` of `rooms`; then commit().
  [[nodiscard]] phx_status reserve(phx_group group, std::span<phx_room> rooms,
                                   std::size_t& reserved,
                                   phx_guarantee guarantee = PHX_AGREED) const noexcept {
    return phx_reserve(handle_, group, rooms.data(), rooms.size(), guarantee, &reserved);
  }
  [[nodiscard]] phx_status commit(std::span<const phx_room> rooms) const noexcept {
    return phx_commit(handle_, rooms.data(), rooms.size());
  }
  /// All rooms, as they were reserved.
  [[nodiscard]] phx_status commit() const noexcept { return phx_commit(handle_, nullptr, 0); }

  [[nodiscard]] phx_status dispatch(phx_dispatch_mode mode, int timeout_ms) const noexcept {
    return phx_dispatch(handle_, mode, timeout_ms);
  }
  /// The pollable descriptor, or -1.
  [[nodiscard]] int fd() const noexcept {
    int fd = -1;
    return phx_fd(handle_, &fd) == PHX_OK ? fd : -1;
  }

  [[nodiscard]] phx_status members(phx_group group, std::vector<phx_member>& out) const {
    std::size_t count = 0;
    phx_status status = PHX_OK;
    do {
      out.resize(count > 8 ? count : 8);
      status = phx_membership(handle_, group, out.data(), out.size(), &count);
    } while (status == PHX_OK && count > out.size());  // It may have grown meanwhile.
    out.resize(status == PHX_OK ? count : 0);
    return status;
  }
  [[nodiscard]] phx_status local_id(phx_member& id) const noexcept {
    return phx_local_id(handle_, &id);
  }
  /// Of the view that was dispatched last; not quorate when there is none, or no attachment.
  [[nodiscard]] phx_quorum_state quorum() const noexcept {
    phx_quorum_state state{};
    (void)phx_quorum(handle_, &state);
    return state;
  }
  [[nodiscard]] phx_status flow_state(phx_flow& flow) const noexcept {
    return phx_flow_state(handle_, &flow);
  }
  [[nodiscard]] phx_status limits(phx_limit_values& limits) const noexcept {
    return phx_limits(handle_, &limits);
  }

  [[nodiscard]] phx_handle handle() const noexcept { return handle_; }
  explicit operator bool() const noexcept { return handle_ != 0; }

 private:
  template <auto Handler, class Event>
  static void call(void* context, phx_handle, const Event* event) {
    const auto& handler = static_cast<Handlers*>(context)->*Handler;
    if (handler) handler(*event);
  }

  static void call_messages(void* context, phx_handle, const phx_message* messages,
                            std::size_t count) {
    static_cast<Handlers*>(context)->messages({messages, count});
  }

  phx_handle handle_ = 0;
  Handlers* handlers_ =
      nullptr;  ///< Its address is what the library calls back with, so it never moves.
};

}  // namespace phalanx

#pragma once

/// @file
/// Calls between processes for C++20: thin, header-only owners over ipc_client.h and ipc_server.h,
/// whose rules of threads, costs and errors hold. Errors stay values (phx_status). An exception
/// must not leave a handler: it is called through C.

#include <phalanx/ipc_client.h>
#include <phalanx/ipc_server.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phalanx::ipc {

/// The bytes of a message or an event, without a copy.
template <class Message>
[[nodiscard]] std::string_view text_of(const Message& message) noexcept {
  return {static_cast<const char*>(message.data), message.bytes};
}

/// Owns one connection and disconnects at its end. Move-only.
class Client {
 public:
  Client() = default;
  Client(Client&& other) noexcept : handle_(std::exchange(other.handle_, 0)) {}
  Client& operator=(Client&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Client() { disconnect(); }

  [[nodiscard]] phx_status connect(const std::string& name, std::uint32_t service,
                                   phx_ipc_options options = {}) noexcept {
    disconnect();
    options.struct_bytes = sizeof options;
    return phx_ipc_connect(name.c_str(), service, &options, &handle_);
  }
  void disconnect() noexcept {
    if (handle_ != 0) (void)phx_ipc_disconnect(std::exchange(handle_, 0));
  }

  /// Calls with text; the reply, of at most `reply_bytes_max`, is copied into `reply`.
  [[nodiscard]] phx_status call(std::uint32_t id, std::string_view request, std::string& reply,
                                std::size_t reply_bytes_max = 4096, int timeout_ms = -1) {
    reply.resize(reply_bytes_max);
    std::size_t bytes = 0;
    const phx_status status = phx_ipc_call(handle_, id, request.data(), request.size(),
                                           reply.data(), reply.size(), &bytes, timeout_ms);
    reply.resize(status == PHX_OK ? bytes : 0);
    return status;
  }
  [[nodiscard]] phx_status post(std::uint32_t id, std::string_view message,
                                int timeout_ms = -1) noexcept {
    const iovec part{.iov_base = const_cast<char*>(message.data()), .iov_len = message.size()};
    return phx_ipc_post(handle_, id, &part, 1, timeout_ms);
  }
  /// Gets what there is, calls `take(event)` for each, and gives it back, also when that throws.
  template <class Take>
  [[nodiscard]] phx_status dispatch(Take&& take, int timeout_ms = -1) {
    phx_ipc_event events[64];
    std::size_t count = 0;
    const phx_status status = phx_ipc_get_batch(handle_, events, 64, &count, timeout_ms);
    if (status != PHX_OK) return status;
    struct Put {
      phx_ipc_handle handle;
      phx_status* status;
      ~Put() { *status = phx_ipc_put(handle); }
    };
    phx_status put = PHX_OK;
    {
      const Put at_the_end{handle_, &put};
      for (std::size_t i = 0; i < count; ++i) take(std::as_const(events[i]));
    }
    return put;
  }
  /// For what has no function here. 0: not connected.
  [[nodiscard]] phx_ipc_handle handle() const noexcept { return handle_; }

 private:
  phx_ipc_handle handle_ = 0;
};

/// A message that a handler was called with, and how to answer it.
class Request {
 public:
  Request(phx_ipc_server* server, const phx_ipc_message& message) noexcept
      : server_(server), message_(message) {}
  [[nodiscard]] const phx_ipc_message& message() const noexcept { return message_; }
  [[nodiscard]] std::string_view text() const noexcept { return text_of(message_); }
  phx_status reply(std::string_view bytes) const noexcept {
    return phx_ipc_reply_send(server_, message_.connection, message_.request, bytes.data(),
                              bytes.size());
  }
  phx_status refuse(phx_status status) const noexcept {
    return phx_ipc_refuse(server_, message_.connection, message_.request, status);
  }
  /// An event to the client that this came from.
  phx_status event(std::uint32_t id, std::string_view bytes) const noexcept {
    return phx_ipc_dispatch(server_, message_.connection, id, bytes.data(), bytes.size());
  }

 private:
  phx_ipc_server* server_;
  phx_ipc_message message_;
};

/// Owns a server of one service, whose handlers are functions. Does not move: C points at it.
class Server {
 public:
  using Handler = std::function<void(const Request&)>;

  Server() = default;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    if (server_ != nullptr) (void)phx_ipc_server_destroy(server_);
  }

  /// A handler's place is its id. Of `options`, services and context are ours: hooks get this
  /// object. Once.
  [[nodiscard]] phx_status create(const std::string& name, std::uint32_t service,
                                  std::vector<Handler> handlers,
                                  phx_ipc_server_options options = {}) {
    handlers_ = std::move(handlers);
    table_.assign(handlers_.size(), {.handle = handle, .flow_control = 0});
    service_.service = service;
    service_.handlers = table_.data();
    service_.handler_count = table_.size();
    options.struct_bytes = sizeof options;
    options.services = &service_;
    options.service_count = 1;
    options.context = this;
    return phx_ipc_server_create(name.c_str(), &options, &server_);
  }
  [[nodiscard]] phx_status run() noexcept { return phx_ipc_server_run(server_); }
  /// Any thread, also a signal handler.
  void stop() noexcept { phx_ipc_server_stop(server_); }
  /// For what has no function here. NULL: not created.
  [[nodiscard]] phx_ipc_server* get() const noexcept { return server_; }

 private:
  static void handle(void* context, phx_ipc_server* server, const phx_ipc_message* message) {
    static_cast<Server*>(context)->handlers_[message->id](Request(server, *message));
  }

  std::vector<Handler> handlers_;
  std::vector<phx_ipc_handler> table_;
  phx_ipc_service service_{};
  phx_ipc_server* server_ = nullptr;
};

}  // namespace phalanx::ipc

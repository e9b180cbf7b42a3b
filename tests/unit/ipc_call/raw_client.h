#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "ipc/call/layout.h"

namespace phalanx::call {

/// A client without the library: speaks the handshake and then writes into the shared memory what
/// it wants. Everything is mapped once, flat.
class RawClient {
 public:
  /// Connects; `good()` says whether the server handed memory out.
  RawClient(const std::string& socket_path, const ConnectRequest& request);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  [[nodiscard]] bool good() const { return base_ != nullptr; }
  [[nodiscard]] std::uint32_t status() const { return reply_.status; }
  [[nodiscard]] const Geometry& geometry() const { return reply_.geometry; }
  [[nodiscard]] std::byte* base() const { return base_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] Page& page() const { return *reinterpret_cast<Page*>(base_); }
  [[nodiscard]] int socket() const { return socket_; }
  [[nodiscard]] int memory() const { return memory_; }
  /// Of the broadcast log; -1 without one.
  [[nodiscard]] int log() const { return log_; }

  /// Writes a record at the start of a request ring that is unused, and shows it.
  void write(std::uint32_t length, std::uint32_t tag, const void* body, std::size_t body_bytes);
  /// Makes the server look.
  void ring() const;
  /// Whether the server hung up, within 5 s.
  [[nodiscard]] bool is_cut_off() const;

 private:
  int socket_ = -1, memory_ = -1, wake_ = -1, log_ = -1;
  ConnectReply reply_{};
  std::byte* base_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace phalanx::call

#pragma once

#include <httplib.h>

#include <chrono>

namespace phalanx::http {

/// What one connection may cost, whatever its client does.
struct Bounds {
  std::size_t request_bytes_max = 8 * 1024;  ///< Line and headers; nothing follows them.
  std::chrono::milliseconds time_max{3000};  ///< From accept to close.
  std::size_t threads = 4;                   ///< So many connections are served at a time.
  std::size_t waiting_max = 16;              ///< So many wait; more stay in the kernel's queue.
};

/// The HTTP server of the library with a limit on everything: one request a connection, no bodies,
/// so many bytes, so much time, so many connections.
class BoundedServer : public httplib::Server {
 public:
  explicit BoundedServer(const Bounds& bounds);

  /// Serves one connection and closes it. Called by the threads of listen_after_bind(); any thread.
  bool serve_one(int socket);

 private:
  bool process_and_close_socket(socket_t socket) override;

  Bounds bounds_;
};

}  // namespace phalanx::http

#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace phalanx::http {

/// /metrics, /status.json, /healthz and /readyz of the node whose sockets are in `directory`.
/// GET and HEAD only; every connection is bounded (bounded_server.h).
class Pages {
 public:
  explicit Pages(std::string directory);
  ~Pages();

  /// False, with errno: the port cannot be had.
  [[nodiscard]] bool bind(const std::string& host, std::uint16_t port);
  /// Until stop(), which another thread calls.
  void serve();
  void stop();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace phalanx::http

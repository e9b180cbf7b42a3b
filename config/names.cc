#include "config/config.h"

namespace phalanx::config {

std::string to_string(const Endpoint& endpoint) {
  const std::string port = ":" + std::to_string(endpoint.port);
  return endpoint.is_ipv6 ? "[" + endpoint.host + "]" + port : endpoint.host + port;
}

std::string_view to_string(TransportKind kind) noexcept {
  switch (kind) {
    case TransportKind::Udp:
      return "udp";
    case TransportKind::Shm:
      return "shm";
    case TransportKind::Dpdk:
      return "dpdk";
    case TransportKind::Verbs:
      return "verbs";
  }
  return "corrupt";
}

std::string_view to_string(SlowPolicy policy) noexcept {
  switch (policy) {
    case SlowPolicy::Evict:
      return "evict";
    case SlowPolicy::Throttle:
      return "throttle";
  }
  return "corrupt";
}

std::string_view to_string(IdleStrategy idle) noexcept {
  switch (idle) {
    case IdleStrategy::Busy:
      return "busy";
    case IdleStrategy::Adaptive:
      return "adaptive";
    case IdleStrategy::Sleep:
      return "sleep";
  }
  return "corrupt";
}

std::string_view to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::Error:
      return "error";
    case LogLevel::Warn:
      return "warn";
    case LogLevel::Info:
      return "info";
    case LogLevel::Debug:
      return "debug";
  }
  return "corrupt";
}

std::string_view to_string(WaitForAll wait) noexcept {
  switch (wait) {
    case WaitForAll::Auto:
      return "auto";
    case WaitForAll::On:
      return "on";
    case WaitForAll::Off:
      return "off";
  }
  return "corrupt";
}

std::string_view to_string(TieBreaker tie_breaker) noexcept {
  switch (tie_breaker) {
    case TieBreaker::Off:
      return "off";
    case TieBreaker::Lowest:
      return "lowest";
    case TieBreaker::Highest:
      return "highest";
    case TieBreaker::List:
      return "list";
  }
  return "corrupt";
}

}  // namespace phalanx::config

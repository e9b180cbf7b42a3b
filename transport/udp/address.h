#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

namespace phalanx::transport::udp {

/// A numeric IP address and a port, as configured: "10.0.0.1", "::1", "fe80::1%eth0".
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
};

/// The same, as the kernel takes it.
class Address {
 public:
  Address() = default;

  /// Empty when `endpoint.host` is no numeric address.
  [[nodiscard]] static std::optional<Address> parse(const Endpoint& endpoint);
  /// What a socket is bound to.
  [[nodiscard]] static Address of_socket(int fd);

  [[nodiscard]] bool is_ipv6() const noexcept { return storage_.any.ss_family == AF_INET6; }
  [[nodiscard]] bool is_multicast() const noexcept;
  [[nodiscard]] std::uint16_t port() const noexcept;
  /// The same with a port so many higher.
  [[nodiscard]] Address plus_port(std::uint16_t above) const noexcept;
  /// The same on one interface: an IPv6 address of a link's scope names nothing without one.
  [[nodiscard]] Address on_interface(unsigned int index) const noexcept;
  [[nodiscard]] const sockaddr* get() const noexcept { return &storage_.plain; }
  [[nodiscard]] sockaddr* get() noexcept { return &storage_.plain; }
  [[nodiscard]] socklen_t length() const noexcept {
    return is_ipv6() ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  }
  static constexpr socklen_t kLengthMax = sizeof(sockaddr_storage);
  [[nodiscard]] const sockaddr_in& v4() const noexcept { return storage_.v4; }
  [[nodiscard]] const sockaddr_in6& v6() const noexcept { return storage_.v6; }

  /// "10.0.0.1:5405", "[::1]:5405".
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool same_host(const Address& other) const noexcept;
  friend bool operator==(const Address& a, const Address& b) noexcept {
    return a.port() == b.port() && a.same_host(b);
  }

 private:
  union {
    sockaddr_storage any;
    sockaddr plain;
    sockaddr_in v4;
    sockaddr_in6 v6;
  } storage_{};
};

}  // namespace phalanx::transport::udp

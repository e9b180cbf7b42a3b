#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/ids.h"
#include "transport/transport.h"
#include "transport/udp/address.h"

namespace phalanx::transport::udp {

struct Peer {
  NodeId node = 0;
  Endpoint endpoint;
};

struct UdpConfig {
  NodeId self = 0;
  Endpoint local;                     ///< Port 0: any free one (tests); see local_address().
  std::vector<Peer> peers;            ///< Every configured node; `self` among them is skipped.
  std::optional<Endpoint> multicast;  ///< Group and port; without it every peer gets a copy.
  std::uint32_t mtu = 1500;           ///< IP packet bytes; the interface's must not be smaller.
  std::uint32_t receive_buffer = 8U << 20;  ///< Asked of the kernel; less may be granted.
  std::uint32_t busy_poll_us = 0;           ///< How long an empty read polls the adapter.
  std::optional<std::uint32_t> cpu;         ///< Of the thread that reads, where it is pinned.
  bool segmentation = true;                 ///< Use GSO and GRO where the kernel has them.
};

/// UDP over the kernel's sockets, IPv4 or IPv6: laptops, clouds, CI. Everything is made at open();
/// then no call allocates. One thread.
class UdpTransport : public Transport {
 public:
  /// Where it listens now.
  [[nodiscard]] virtual Address local_address() const = 0;
  /// Tells where a configured peer is (tests with free ports). Cold.
  virtual void set_peer(NodeId node, const Address& address) = 0;
  /// Whether runs of frames leave as one message.
  [[nodiscard]] virtual bool segments() const noexcept = 0;
};

/// Errors name the address, port or interface, and the remedy.
[[nodiscard]] Expected<std::unique_ptr<UdpTransport>, Error> open(const UdpConfig& config);

}  // namespace phalanx::transport::udp

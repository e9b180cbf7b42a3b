#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"
#include "transport/udp/address.h"

namespace phalanx::transport::udp {

/// Cold: opens and sets up the sockets of a UdpTransport.

/// The interface that has an address.
struct Interface {
  std::string name;
  unsigned int index = 0;
  std::uint32_t mtu = 0;
};
[[nodiscard]] Expected<Interface, Error> interface_of(const Address& local);

struct SocketOptions {
  std::uint32_t receive_buffer = 0;
  std::uint32_t busy_poll_us = 0;    ///< SO_BUSY_POLL; 0: as the host has it.
  std::optional<std::uint32_t> cpu;  ///< Of the thread that will read: SO_INCOMING_CPU.
  bool segmentation = true;
};

struct Socket {
  Fd fd;
  std::uint32_t receive_buffer = 0;  ///< Granted, as the kernel accounts it.
  bool segmentation = false;         ///< GSO is there.
};

/// A non-blocking socket bound to a unicast address.
[[nodiscard]] Expected<Socket, Error> open_unicast(const Address& local,
                                                   const SocketOptions& options);
/// A non-blocking socket that hears a multicast group on one interface.
[[nodiscard]] Expected<Socket, Error> open_group(const Address& group, const Address& local,
                                                 const Interface& on, const SocketOptions& options);
/// Multicast sent through `fd` leaves by this interface; `loop`: other sockets of this host hear
/// it.
[[nodiscard]] Expected<void, Error> send_groups_through(int fd, const Address& local,
                                                        const Interface& on, bool loop);

}  // namespace phalanx::transport::udp

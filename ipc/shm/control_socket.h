#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"

namespace phalanx::shm {

/// What passes over `dataplane.sock` (SOCK_SEQPACKET, control plane -> data plane) besides memory:
/// things that need a file descriptor, and orders to the process rather than to its worker.

/// First packet, from the data plane, with three descriptors.
struct Welcome {
  std::uint32_t pid = 0;
  Fd segment;           ///< See ControlSegment::map().
  Fd command_doorbell;  ///< eventfd: wakes the worker.
  Fd event_doorbell;    ///< eventfd: wakes the control plane. Readable when events wait.
};

/// A client that the control plane has accepted and checked; its socket comes along.
struct AdoptClient {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t pid = 0;
  std::uint32_t rights = 0;  ///< kMayPublish | kMaySubscribe.
  Fd socket;
};
inline constexpr std::uint32_t kMayPublish = 1;
inline constexpr std::uint32_t kMaySubscribe = 2;

struct ControlPacket {
  enum class Kind : std::uint8_t { Adopt = 1, Shutdown = 2 };
  Kind kind = Kind::Shutdown;
  /// For Adopt. Without a socket when this process was out of descriptors: that client is lost, and
  /// sees a hang-up.
  AdoptClient client;
};

/// Control plane: connects to the data plane of an instance, without waiting.
/// ExitCode::NotRunning when nobody listens there. Hang-up on the socket means that the data plane
/// is gone or has another control plane.
[[nodiscard]] Expected<Fd, Error> connect_data_plane(const char* socket_path);
/// Then its Welcome. Empty: it is not there yet. An error: hang-up, or another version.
[[nodiscard]] Expected<std::optional<Welcome>, Error> receive_welcome(int socket);

/// Non-blocking; an error means that the connection is of no more use (or full:
/// ExitCode::Degraded).
[[nodiscard]] Expected<void, Error> send_adopt(int socket, const AdoptClient& client);
[[nodiscard]] Expected<void, Error> send_shutdown(int socket);

/// Data plane.
[[nodiscard]] Expected<void, Error> send_welcome(int socket, std::uint32_t pid, int segment,
                                                 int command_doorbell, int event_doorbell);
/// Empty: nothing waits. An error: hang-up or rubbish; close it.
[[nodiscard]] Expected<std::optional<ControlPacket>, Error> receive_packet(int socket);

}  // namespace phalanx::shm

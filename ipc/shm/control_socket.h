#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"

namespace phalanx::shm {

/// What passes over `dataplane.sock` (SOCK_SEQPACKET) besides memory. To the data plane: things
/// that need a file descriptor, and orders to the process rather than to its worker. Back: its
/// lines for the log.

/// First packet, from the data plane, with four descriptors.
struct Welcome {
  std::uint32_t pid = 0;
  Fd segment;           ///< See ControlSegment::map().
  Fd statistics;        ///< Likewise.
  Fd command_doorbell;  ///< eventfd: wakes the worker.
  Fd event_doorbell;    ///< eventfd: wakes the control plane. Readable when events wait.
};

/// A client that the control plane has accepted and checked; its socket comes along.
struct AdoptClient {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t pid = 0;
  std::uint32_t rights = 0;  ///< kMayPublish | kMaySubscribe | kMayReadLog.
  Fd socket;
};
inline constexpr std::uint32_t kMayPublish = 1;
inline constexpr std::uint32_t kMaySubscribe = 2;
inline constexpr std::uint32_t kMayReadLog = 4;  ///< The shared log, and so everything in it.

/// A line of the data plane's, for the node's log.
struct LogLine {
  enum class Level : std::uint8_t { Error = 0, Warn = 1, Info = 2, Debug = 3 };
  Level level = Level::Info;
  std::string text;  ///< At most kLogLineBytesMax; what is longer is cut.
};
inline constexpr std::size_t kLogLineBytesMax = 1024;

struct ControlPacket {
  enum class Kind : std::uint8_t {
    Adopt = 1,
    Shutdown = 2,
    Keys = 3,  ///< Read the files of the cluster keys again. Answered by an event, KeysHeld.
  };
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
[[nodiscard]] Expected<void, Error> send_keys(int socket);
/// Empty: nothing waits. An error: hang-up or rubbish.
[[nodiscard]] Expected<std::optional<LogLine>, Error> receive_log_line(int socket);

/// Data plane.
struct WelcomeDescriptors {
  int segment = -1;
  int statistics = -1;
  int command_doorbell = -1;
  int event_doorbell = -1;
};
[[nodiscard]] Expected<void, Error> send_welcome(int socket, std::uint32_t pid,
                                                 const WelcomeDescriptors& descriptors);
/// As send_adopt().
[[nodiscard]] Expected<void, Error> send_log_line(int socket, const LogLine& line);
/// Empty: nothing waits. An error: hang-up or rubbish; close it.
[[nodiscard]] Expected<std::optional<ControlPacket>, Error> receive_packet(int socket);

}  // namespace phalanx::shm

#pragma once

#include <sys/types.h>

#include <span>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/shm/attach_protocol.h"
#include "ipc/shm/channel.h"
#include "ipc/shm/lane_map.h"

namespace phalanx::shm {

/// The daemons' side of attaching. Cold code, any thread. The control plane accepts a client,
/// checks peer_credentials() and either refuse_attach()es it, before any memory is mapped, or
/// passes the socket on to the data plane, which reads the request and answers. No call blocks.

struct PeerCredentials {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

/// Nobody may pass descriptors to what connects to this listener: one whose last close lingers
/// would stop the thread that happens to receive it. Call it before listen(). From Linux 6.16 on;
/// before, a local user who may attach can stop a daemon for as long as such a socket lingers.
void refuse_descriptors(int listener) noexcept;

/// Who connected, says the kernel.
[[nodiscard]] Expected<PeerCredentials, Error> peer_credentials(int socket);

/// What became of reading a request.
enum class RequestState : std::uint8_t {
  NotYet,  ///< Nothing has come: wait until the socket is readable.
  Ready,
  Gone,     ///< The client hung up.
  Refused,  ///< Malformed or another version, and answered so: close the socket.
};

/// Reads a client's request; sizes are not checked here (WorkerChannel::create() bounds them).
[[nodiscard]] RequestState read_attach_request(int socket, AttachRequest& out) noexcept;

/// Whether such a request may be accepted where there are so many workers and groups in lanes of
/// their own: an older library takes those of several workers to the wrong one.
[[nodiscard]] bool finds_lanes(const AttachRequest& request, std::size_t workers,
                               const LaneMap& map) noexcept;

/// Hands the channels, one with each worker and all of one geometry, to the client that sent this
/// request, and each worker's shared log where the geometry has one.
[[nodiscard]] Expected<void, Error> send_attach_reply(
    int socket, const AttachRequest& request, std::span<const WorkerChannel* const> channels,
    const LaneMap& map, std::span<const int> log_fds = {});

/// Tells the client why not. Best effort; the caller closes the socket.
void refuse_attach(int socket, AttachStatus why) noexcept;

/// Sends the byte that makes the client's descriptor readable. False: it hung up. A full socket is
/// fine: then it is readable already.
bool wake_client(int socket) noexcept;

}  // namespace phalanx::shm

#include "ipc/shm/attach_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "ipc/base/assert.h"
#include "ipc/shm/descriptor_socket.h"

namespace phalanx::shm {
namespace {

bool send_reply(int socket, const AttachReply& reply, std::span<const int> fds) noexcept {
  return send_with_descriptors(socket, &reply, sizeof reply, fds.data(), fds.size());
}

static_assert(kAttachDescriptorsMax <= kDescriptorsOfPacketMax);

constexpr int kPassRights = 83;  // SO_PASSRIGHTS, which older headers do not have.

}  // namespace

void refuse_descriptors(int listener) noexcept {
  const int allowed = 0;
  (void)setsockopt(listener, SOL_SOCKET, kPassRights, &allowed, sizeof allowed);
}

Expected<PeerCredentials, Error> peer_credentials(int socket) {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) {
    return fail(system_error("cannot tell who connected", "getsockopt(SO_PEERCRED)", errno));
  }
  return PeerCredentials{.pid = peer.pid, .uid = peer.uid, .gid = peer.gid};
}

RequestState read_attach_request(int socket, AttachRequest& out) noexcept {
  const ssize_t got = recv(socket, &out, sizeof out, MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? RequestState::NotYet : RequestState::Gone;
  if (got == 0) return RequestState::Gone;
  // The library sends it in one piece, and a Unix socket keeps it in one.
  if (got != static_cast<ssize_t>(sizeof out) || out.magic != kAttachMagic ||
      out.bytes != sizeof out) {
    refuse_attach(socket, AttachStatus::Malformed);
    return RequestState::Refused;
  }
  if (out.version != kAttachVersion) {
    refuse_attach(socket, AttachStatus::Version);
    return RequestState::Refused;
  }
  out.name[sizeof out.name - 1] = '\0';
  return RequestState::Ready;
}

bool finds_lanes(const AttachRequest& request, std::size_t workers, const LaneMap& map) noexcept {
  return workers == 1 || map.groups().empty() || (request.flags & kKnowsLaneMap) != 0;
}

Expected<void, Error> send_attach_reply(int socket, const AttachRequest& request,
                                        std::span<const WorkerChannel* const> channels,
                                        const LaneMap& map, std::span<const int> log_fds) {
  PHX_CHECK(!channels.empty() && channels.size() <= kChannelsMax);
  std::array<int, kAttachDescriptorsMax> fds{};
  std::size_t count = 0;
  const bool has_log = channels[0]->geometry().log_bytes > 0;
  PHX_CHECK(log_fds.size() == (has_log ? channels.size() : 0));
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const WorkerChannel* channel = channels[i];
    fds[count++] = channel->memory_fd();
    fds[count++] = channel->doorbell_fd();
    if (channel->bulk_fd() >= 0) fds[count++] = channel->bulk_fd();
    if (has_log) fds[count++] = log_fds[i];
  }
  // An older library would take what follows a reply for bytes that wake it.
  const bool told = (request.flags & kKnowsLaneMap) != 0;
  const std::span<const MappedGroup> mapped = told ? map.groups() : std::span<const MappedGroup>();
  const AttachReply reply{.descriptors = static_cast<std::uint32_t>(count),
                          .geometry = channels[0]->geometry(),
                          .lanes = map.lanes(),
                          .more_workers = static_cast<std::uint32_t>(channels.size() - 1),
                          .mapped = static_cast<std::uint32_t>(mapped.size())};
  // In one piece: the other end waits for no second one.
  std::array<std::byte, sizeof reply + sizeof(MappedGroup) * kGroupsMappedMax> bytes;
  std::memcpy(bytes.data(), &reply, sizeof reply);
  std::ranges::copy(std::as_bytes(mapped), bytes.data() + sizeof reply);
  if (!send_with_descriptors(socket, bytes.data(), sizeof reply + mapped.size_bytes(), fds.data(),
                             count)) {
    return fail(system_error("cannot hand a channel to a client", "sendmsg", errno));
  }
  return {};
}

void refuse_attach(int socket, AttachStatus why) noexcept {
  // Take what was sent: closing a socket with unread bytes would reset it under the reply.
  std::array<char, 256> unread;
  for (int i = 0; i < 4 && recv(socket, unread.data(), unread.size(), MSG_DONTWAIT) > 0; ++i)
    continue;
  (void)send_reply(socket, AttachReply{.status = why}, {});
}

bool wake_client(int socket) noexcept {
  const char byte = 1;
  return send(socket, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 || errno == EAGAIN ||
         errno == EINTR;
}

}  // namespace phalanx::shm

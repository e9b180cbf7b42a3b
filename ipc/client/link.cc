#include "ipc/client/link.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ipc/shm/attach_protocol.h"
#include "ipc/shm/descriptor_socket.h"

namespace phalanx::client {
namespace {

constexpr TimeNs kBackOffMin = 2 * kMillisecond;
constexpr TimeNs kBackOffMax = 200 * kMillisecond;
constexpr TimeNs kReplyTimeout = 2 * kSecond;

void close_socket(Handle& handle) noexcept {
  if (handle.socket < 0) return;
  if (handle.epoll_fd >= 0) epoll_ctl(handle.epoll_fd, EPOLL_CTL_DEL, handle.socket, nullptr);
  // A child of fork() may hold a copy: shutting down is what the data plane sees at once.
  shutdown(handle.socket, SHUT_RDWR);
  close(handle.socket);
  handle.socket = -1;
}

Step step_of_errno(int error) noexcept {
  switch (error) {
    case EACCES:
    case EPERM:
      return Step::Access;
    case ENOENT:
    case ECONNREFUSED:
    case ENOTDIR:
      return Step::NotRunning;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
      return Step::NoMemory;
    default:
      return Step::TryLater;  // EAGAIN: the backlog is full. Or it went away just now.
  }
}

Step step_of_status(shm::AttachStatus status) noexcept {
  switch (status) {
    case shm::AttachStatus::Accepted:
      return Step::Attached;
    case shm::AttachStatus::Access:
      return Step::Access;
    case shm::AttachStatus::Full:
      return Step::Full;
    case shm::AttachStatus::TryLater:
      return Step::TryLater;
    case shm::AttachStatus::Version:
    case shm::AttachStatus::Malformed:
      return Step::Version;
  }
  return Step::Version;
}

/// The lanes that follow an accepting reply in the same piece. False: they make no sense.
bool receive_lanes(int socket, const shm::AttachReply& reply, shm::LaneMap& map) noexcept {
  shm::MappedGroup groups[shm::kGroupsMappedMax];
  if (reply.mapped > shm::kGroupsMappedMax) return false;
  const std::size_t bytes = reply.mapped * sizeof groups[0];
  if (bytes > 0 && recv(socket, groups, bytes, MSG_DONTWAIT) != static_cast<ssize_t>(bytes)) {
    return false;
  }
  return map.assign(std::max(reply.lanes, reply.more_workers + 1), {groups, reply.mapped});
}

/// Receives the reply, its descriptors and lanes. Pending when it has not come.
Step receive_reply(int socket, shm::AttachReply& reply, int fds[shm::kAttachDescriptorsMax],
                   shm::LaneMap& map) noexcept {
  std::size_t count = 0;
  const ssize_t got = shm::receive_with_descriptors(socket, &reply, sizeof reply, fds,
                                                    shm::kAttachDescriptorsMax, count);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Step::Pending;
  if (got <= 0) return Step::TryLater;  // Hung up on us: it is going down, or coming up.
  if (got != static_cast<ssize_t>(sizeof reply) || reply.magic != shm::kAttachMagic ||
      reply.version != shm::kAttachVersion) {
    return Step::Version;
  }
  const Step step = step_of_status(reply.status);
  const bool whole =
      reply.channels() <= shm::kChannelsMax && count == reply.channels() * reply.descriptors_each();
  if (step != Step::Attached) return step;
  return whole && receive_lanes(socket, reply, map) ? step : Step::Version;
}

/// The next channel is to be told of this group anew, if it is anything to us.
void owe_again(Handle& handle, Group& group) noexcept {
  group.join_unsent = group.joined();
  group.open_unsent = group.open;
  if (group.standing == Standing::None && !group.open) handle.groups.remove(group);
}

}  // namespace

phx_status status_of(Step step) noexcept {
  switch (step) {
    case Step::Attached:
      return PHX_OK;
    case Step::Pending:
    case Step::TryLater:
      return PHX_TRY_AGAIN;
    case Step::NotRunning:
      return PHX_NOT_RUNNING;
    case Step::Access:
      return PHX_ACCESS;
    case Step::Full:
      return PHX_LIMIT;
    case Step::Version:
      return PHX_VERSION;
    case Step::NoMemory:
      return PHX_NO_MEMORY;
  }
  return PHX_TRY_AGAIN;
}

Step start_asking(Handle& handle) noexcept {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Step::NoMemory;
  handle.socket = fd;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&handle.path.address),
              sizeof handle.path.address) != 0) {
    const Step step = step_of_errno(errno);
    close_socket(handle);
    return step;
  }
  shm::AttachRequest request;
  request.submit_bytes = handle.submit_bytes;
  request.delivery_bytes = handle.delivery_bytes;
  request.flags = shm::kKnowsLaneMap | (handle.wants_log ? shm::kWantsLog : 0);
  request.pid = static_cast<std::uint32_t>(getpid());
  std::memcpy(request.name, handle.program, sizeof request.name);
  const bool trusted = !handle.path.check_owner || owner_is_trusted(fd);
  const bool sent =
      trusted && send(fd, &request, sizeof request, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof request;
  if (!sent && (!trusted || errno != EPIPE)) {
    close_socket(handle);
    return trusted ? Step::TryLater : Step::Access;
  }
  // EPIPE: refused and closed already; the reply that says why waits to be read.
  if (handle.epoll_fd >= 0) {
    epoll_event event{.events = EPOLLIN | EPOLLRDHUP, .data = {}};
    epoll_ctl(handle.epoll_fd, EPOLL_CTL_ADD, fd, &event);
  }
  handle.link = Link::Asking;
  handle.next_try = monotonic_now() + kReplyTimeout;
  return Step::Pending;
}

Step poll_reply(Handle& handle) noexcept {
  shm::AttachReply reply;
  int fds[shm::kAttachDescriptorsMax];
  for (int& fd : fds) fd = -1;
  shm::LaneMap map;
  Step step = receive_reply(handle.socket, reply, fds, map);
  if (step == Step::Pending) return step;
  if (step == Step::Attached) {
    if (!handle.channels.open(reply, map, fds)) {
      step = errno == EPROTO ? Step::Version : Step::NoMemory;
    } else if (handle.fenced) {
      for (shm::ClientChannel& channel : handle.channels.all()) channel.trust_fences();
    }
  }
  for (const int fd : fds) {
    if (fd >= 0) close(fd);
  }
  if (step == Step::Attached) {
    handle.link = Link::Attached;
    handle.back_off = 0;
    handle.groups.for_each(
        [&](Group& group) { group.channel = handle.channels.channel_of(group.id); });
    handle.hung_up = handle.distrusted = handle.armed = handle.byte_owed = false;
  } else {
    close_socket(handle);
  }
  return step;
}

void drop_link(Handle& handle, phx_status why) noexcept {
  handle.quorum = {};  // This node may go on in a view that nobody told this client of.
  close_socket(handle);
  if (handle.reservation.holds_ring()) {
    handle.reservation.over = why;
    handle.reservation.memory = handle.reservation.channel->close_but_keep_submit_memory();
  }
  handle.channels.close();
  handle.hung_up = handle.distrusted = handle.armed = handle.byte_owed = false;
  handle.wants_room.store(false, std::memory_order_relaxed);
  for (std::uint32_t& wanted : handle.room_wanted) wanted = 0;
}

bool step_link(Slot& slot, Handle& handle, TimeNs now) noexcept {
  const BiasedGuard guard(slot.send);
  Step step = Step::TryLater;
  if (handle.link == Link::Asking) {
    step = poll_reply(handle);
    if (step == Step::Pending && now >= handle.next_try) {
      close_socket(handle);
      step = Step::TryLater;
    }
  } else {
    if (now < handle.next_try) return false;
    step = start_asking(handle);
  }
  if (step == Step::Pending) return false;
  if (step == Step::Attached) {
    send_groups(handle);
    return true;
  }
  handle.link = Link::Waiting;
  handle.back_off = handle.back_off == 0 ? kBackOffMin : handle.back_off * 2;
  if (handle.back_off > kBackOffMax) handle.back_off = kBackOffMax;
  handle.next_try = now + handle.back_off;
  return false;
}

void lose_link(Slot& slot, Handle& handle) noexcept {
  const BiasedGuard guard(slot.send);
  drop_link(handle);
  handle.link = handle.no_reattach ? Link::Gone : Link::Waiting;
  handle.next_try = 0;
  handle.unsent_groups.store(true, std::memory_order_relaxed);
  handle.groups.for_each([&](Group& group) {
    (void)handle.groups.set_members(group, nullptr, 0);
    if (group.joined()) group.standing = Standing::Joining;
    if (group.standing == Standing::Leaving) group.standing = Standing::None;
    owe_again(handle, group);
  });
  handle.groups.changed();  // Of a shared log nothing is for us until we are members again.
}

void leave_evicted(Slot& slot, Handle& handle) noexcept {
  const BiasedGuard guard(slot.send);
  drop_link(handle, PHX_EVICTED);
  handle.link = Link::Waiting;  // The data plane is there: come back even if told not to chase it.
  handle.next_try = 0;
  handle.unsent_groups.store(true, std::memory_order_relaxed);
  handle.groups.for_each([&](Group& group) {
    (void)handle.groups.set_members(group, nullptr, 0);
    // One that was joined since, and not yet asked for, goes to the new channel.
    if (group.joined() && !group.join_unsent) group.standing = Standing::Evicted;
    if (group.standing == Standing::Leaving) group.standing = Standing::None;
    owe_again(handle, group);
  });
  handle.groups.changed();  // Of a shared log nothing is for us until we are members again.
}

bool submit_group(Handle& handle, const Group& group, shm::SubmissionKind kind) noexcept {
  const bool named = kind == shm::SubmissionKind::Join || kind == shm::SubmissionKind::Open;
  const std::size_t name_bytes = named ? group.name_bytes : 0;
  const auto bytes = static_cast<std::uint32_t>(sizeof(shm::SubmissionBody) + name_bytes);
  shm::ClientChannel& channel = handle.channels.of(group);
  std::byte* room = channel.reserve_submission(bytes);
  if (room == nullptr) return false;
  std::memcpy(room, &group.id, sizeof group.id);
  std::memcpy(room + sizeof group.id, group.name, name_bytes);
  channel.commit_submission(kind, 0);
  publish(handle, channel);
  return true;
}

void send_groups(Handle& handle) noexcept {
  if (!handle.unsent_groups.load(std::memory_order_relaxed) || !handle.attached()) return;
  const auto send_all = [&] {
    bool all = true;
    handle.groups.for_each([&](Group& group) {
      if (group.join_unsent)
        group.join_unsent = !submit_group(handle, group, shm::SubmissionKind::Join);
      if (group.open_unsent)
        group.open_unsent = !submit_group(handle, group, shm::SubmissionKind::Open);
      all = all && !group.join_unsent && !group.open_unsent;
    });
    return all;
  };
  bool all = send_all();
  if (!all) {
    handle.channels.wait_for(shm::kWaitsForRoom);
    all = send_all();
  }
  handle.unsent_groups.store(!all, std::memory_order_relaxed);
}

bool drain_socket(Handle& handle) noexcept {
  char bytes[64];
  const ssize_t got = recv(handle.socket, bytes, sizeof bytes, MSG_DONTWAIT);
  if (got > 0) handle.byte_owed = false;
  return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

}  // namespace phalanx::client

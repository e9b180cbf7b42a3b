#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "ipc/call/client/handle.h"
#include "ipc/call/name.h"
#include "ipc/call/waiting.h"
#include "ipc/client/path.h"
#include "ipc/shm/barrier.h"
#include "ipc/shm/descriptor_socket.h"

namespace phalanx::call {
namespace {

constexpr std::uint64_t kRingBytes = 256u << 10;
constexpr std::uint64_t kMessageBytes = 64u << 10;
constexpr int kConnectTimeoutMs = 5000;
constexpr TimeNs kRetryInterval = 5 * kMillisecond;

std::uint64_t or_default(std::size_t value, std::uint64_t usual) noexcept {
  return value == 0 ? usual : value;
}

ConnectRequest request_for(std::uint32_t service, const phx_ipc_options& options) noexcept {
  ConnectRequest r;
  r.service = service;
  // Who sleeps at once would pay for a barrier with every message.
  const bool looks_first =
      options.wait == PHX_IPC_POLL || (options.wait == PHX_IPC_ADAPTIVE && options.spin_us >= 0);
  r.flags = looks_first && shm::register_for_barriers() ? kBarriers : 0;
  if (options.broadcast != 0) r.flags |= kBroadcast;
  r.outstanding_max = options.outstanding_max == 0 || options.outstanding_max > kOutstandingMax
                          ? kOutstandingMax
                          : options.outstanding_max;
  r.request_bytes = or_default(options.request_ring_bytes, kRingBytes);
  r.response_bytes = or_default(options.response_ring_bytes, kRingBytes);
  r.dispatch_bytes = or_default(options.dispatch_ring_bytes, kRingBytes);
  r.buffer_bytes = options.buffer_bytes;
  const std::uint64_t message = or_default(options.message_bytes_max, kMessageBytes);
  r.message_bytes_max =
      message > shm::kMessageBytesMax ? shm::kMessageBytesMax : static_cast<std::uint32_t>(message);
  std::snprintf(r.program, sizeof r.program, "%s",
                options.program != nullptr ? options.program : program_invocation_short_name);
  return r;
}

/// Waits for the answer. PHX_OK: `fds` and the geometry are there.
phx_status receive_reply(int socket, TimeNs deadline, ConnectReply& reply,
                         int (&fds)[kConnectDescriptorsMost]) noexcept {
  for (;;) {
    std::size_t count = 0;
    const ssize_t got = shm::receive_with_descriptors(socket, &reply, sizeof reply, fds,
                                                      kConnectDescriptorsMost, count);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      if (monotonic_now() >= deadline) return PHX_TRY_AGAIN;
      sleep_on(socket, deadline);
      continue;
    }
    if (got <= 0) return PHX_TRY_AGAIN;  // Hung up on us: it is going down, or coming up.
    if (got != static_cast<ssize_t>(sizeof reply) || reply.magic != kMagic ||
        reply.version != kVersion) {
      return PHX_VERSION;
    }
    if (reply.status != PHX_OK)
      return reply.status <= PHX_BROKEN ? static_cast<phx_status>(reply.status) : PHX_VERSION;
    const std::size_t more =
        ((reply.flags & kBroadcast) != 0 ? 1u : 0u) + ((reply.flags & kAttachment) != 0 ? 1u : 0u);
    return count == kConnectDescriptors + more ? PHX_OK : PHX_VERSION;
  }
}

/// Maps what the server made.
phx_status take(Handle& handle, int memory_fd, const Geometry& geometry) noexcept {
  struct stat file {};
  // Memory that can shrink would kill us with SIGBUS when its maker likes.
  const int seals = fcntl(memory_fd, F_GET_SEALS);
  if (!is_sane(geometry) || seals < 0 || (seals & F_SEAL_SHRINK) == 0 ||
      fstat(memory_fd, &file) != 0 ||
      static_cast<std::uint64_t>(file.st_size) < memory_bytes(geometry)) {
    return PHX_VERSION;
  }
  if (!handle.memory.map(memory_fd, geometry)) return PHX_NO_MEMORY;
  const Page& page = *handle.memory.page();
  if (page.magic != kMagic || page.version != kVersion || page.struct_bytes != sizeof(Page))
    return PHX_VERSION;
  handle.requests = handle.memory.producer(Mapping::kRequest);
  handle.responses = handle.memory.consumer(Mapping::kResponse);
  handle.events = handle.memory.consumer(Mapping::kDispatch);
  handle.free_slots = geometry.outstanding_max == 64
                          ? ~std::uint64_t{0}
                          : (std::uint64_t{1} << geometry.outstanding_max) - 1;
  return PHX_OK;
}

/// One try. The socket stays in the handle when it succeeds.
phx_status try_once(Handle& handle, const client::SocketPath& path, bool own_server,
                    const ConnectRequest& request, TimeNs deadline) noexcept {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return PHX_NO_MEMORY;
  phx_status status = PHX_OK;
  int fds[kConnectDescriptorsMost] = {-1, -1, -1, -1};
  ConnectReply reply;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&path.address), sizeof path.address) != 0) {
    status = client::status_of_connect(errno);
  } else if ((path.check_owner || own_server) && !client::owner_is_trusted(fd)) {
    status = PHX_ACCESS;
  } else if (send(fd, &request, sizeof request, MSG_DONTWAIT | MSG_NOSIGNAL) !=
                 static_cast<ssize_t>(sizeof request) &&
             errno != EPIPE) {  // EPIPE: refused already; the reply says why.
    status = PHX_TRY_AGAIN;
  }
  if (status == PHX_OK) status = receive_reply(fd, deadline, reply, fds);
  int log = -1;
  int attachment = -1;
  if (status == PHX_OK) {
    std::size_t next = kConnectDescriptors;
    if ((reply.flags & kBroadcast) != 0) log = std::exchange(fds[next++], -1);
    if ((reply.flags & kAttachment) != 0) attachment = std::exchange(fds[next++], -1);
  }
  if (status == PHX_OK) status = take(handle, fds[0], reply.geometry);
  if (status == PHX_OK && log >= 0) status = handle.broadcast.map(log, *handle.memory.page());
  if (status == PHX_OK && !(let_reads_sleep(fd) && let_reads_sleep(fds[1]))) status = PHX_NO_MEMORY;
  for (const int used : {fds[0], fds[2], fds[3], log}) {
    if (used >= 0) close(used);
  }
  if (status == PHX_OK) {
    handle.attachment.store(attachment, std::memory_order_relaxed);
    handle.server_is_trusted = client::owner_is_trusted(fd);
    handle.barriers = (request.flags & reply.flags & kBarriers) != 0;
    handle.socket = fd;
    handle.wake = fds[1];
    return PHX_OK;
  }
  handle.broadcast.unmap();
  handle.memory.unmap();
  for (const int unused : {fds[1], attachment}) {
    if (unused >= 0) close(unused);
  }
  close(fd);
  return status;
}

}  // namespace

phx_status connect_handle(Handle& handle, const char* name, std::uint32_t service,
                          const phx_ipc_options& options) noexcept {
  handle.wait = options.wait;
  const int spin_us = options.spin_us == 0 ? 30 : options.spin_us;
  const bool spins = options.wait == PHX_IPC_ADAPTIVE && spin_us > 0;
  handle.spin_ns = spins ? static_cast<TimeNs>(spin_us) * kMicrosecond : 0;

  client::SocketPath path;
  const phx_status named = find_server(name, options.runtime_directory, options.instance, path);
  if (named != PHX_OK) return named;
  const ConnectRequest request = request_for(service, options);
  const TimeNs deadline =
      deadline_of(options.connect_timeout_ms > 0 ? options.connect_timeout_ms : kConnectTimeoutMs);
  for (;;) {
    const phx_status status = try_once(handle, path, options.own_server != 0, request, deadline);
    if (status != PHX_TRY_AGAIN || monotonic_now() + kRetryInterval >= deadline) return status;
    (void)poll(nullptr, 0, static_cast<int>(kRetryInterval / kMillisecond));
  }
}

}  // namespace phalanx::call

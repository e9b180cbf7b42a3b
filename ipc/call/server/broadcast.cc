#include "ipc/call/server/broadcast.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <new>

#include "ipc/call/fork.h"
#include "ipc/call/server/server.h"
#include "ipc/shm/barrier.h"
#include "ipc/shm/mirror_map.h"

namespace phalanx::call {
namespace {

/// Who was cut off, for the line that is said once no lock is held.
struct Slowest {
  unsigned evicted = 0;
  pid_t pid = 0;
};

/// What the reader says it has read, if it can be true. False: a lie.
bool look(const Broadcast& b, Connection& c) noexcept {
  const std::uint64_t head =
      std::atomic_ref(c.memory.page()->broadcast_head.position).load(std::memory_order_acquire);
  if (head - c.broadcast_seen > b.tail - c.broadcast_seen || head % 8 != 0) return false;
  c.broadcast_seen = head;
  return true;
}

void remove(Broadcast& b, unsigned index) noexcept {
  Connection& c = *b.readers[index];
  c.reads_broadcast = false;
  if (!c.barriers) --b.without_barriers;
  b.readers[index] = b.readers[--b.reader_count];
}

void cut(phx_ipc_server& server, unsigned index, State why) noexcept {
  Connection& c = *server.broadcast.readers[index];
  {
    const client::BiasedGuard guard(server.places[index_of(c.value)].lock);
    cut_off(c, why);
  }
  remove(server.broadcast, index);
}

/// Whether the reader's slowness is to be borne for now.
bool may_throttle(const phx_ipc_server& server, Connection& c) noexcept {
  if (server.options.policy != PHX_IPC_THROTTLE) return false;
  const TimeNs now = monotonic_now();
  if (c.broadcast_blocked_since == 0 || c.broadcast_seen != c.broadcast_seen_then) {
    c.broadcast_blocked_since = now;
    c.broadcast_seen_then = c.broadcast_seen;
  }
  return now - c.broadcast_blocked_since <=
         static_cast<TimeNs>(server.options.throttle_max_ms) * kMillisecond;
}

/// Looks how far the readers are, and meets the policy with those in the way. False: one of them
/// is waited for.
bool make_room(phx_ipc_server& server, std::uint64_t bytes, Slowest& slowest) noexcept {
  Broadcast& b = server.broadcast;
  std::uint64_t lag_most = 0;
  bool waits = false;
  for (unsigned i = 0; i < b.reader_count;) {
    Connection& c = *b.readers[i];
    if (!look(b, c)) {
      cut(server, i, State::Broken);
      continue;
    }
    if (b.tail - c.broadcast_seen > b.bytes - bytes) {
      if (!may_throttle(server, c)) {
        ++slowest.evicted;
        slowest.pid = c.pid;
        cut(server, i, State::Evicted);
        continue;
      }
      std::atomic_ref(c.memory.page()->flow_control).store(1, std::memory_order_relaxed);
      c.awaits_broadcast_room.store(true, std::memory_order_relaxed);
      ask_for_room(c);
      if (!look(b, c) || b.tail - c.broadcast_seen > b.bytes - bytes) waits = true;
    } else {
      c.broadcast_blocked_since = 0;
    }
    const std::uint64_t lag = b.tail - c.broadcast_seen;
    if (lag > lag_most) lag_most = lag;
    ++i;
  }
  b.limit = b.tail + (b.bytes - lag_most);
  return !waits;
}

void append(Broadcast& b, const phx_ipc_item& item, std::uint64_t record) noexcept {
  std::byte* at = b.data + (b.tail & (b.bytes - 1));
  shm::fetch_to_write(b.data, b.bytes, b.tail);
  const auto length = static_cast<std::uint32_t>(sizeof(EventBody) + item.bytes);
  const auto tag = static_cast<std::uint32_t>(EventKind::Event);
  const EventBody body{.id = item.id, .reserved = 0};
  std::memcpy(at, &length, sizeof length);
  std::memcpy(at + sizeof length, &tag, sizeof tag);
  std::memcpy(at + shm::kRingPrefixBytes, &body, sizeof body);
  if (item.bytes > 0) std::memcpy(at + shm::kRingPrefixBytes + sizeof body, item.data, item.bytes);
  b.tail += record;
}

/// Shows what was written, and wakes the readers that sleep.
void publish(Broadcast& b) noexcept {
  if (b.published == b.tail) return;
  b.published = b.tail;
  shm::store_in_order(b.page->tail, b.tail, shm::publish_order(b.without_barriers == 0));
  for (unsigned i = 0; i < b.reader_count; ++i) wake_client(*b.readers[i], kWaitsForEvent);
}

phx_status send_all(phx_ipc_server& server, const phx_ipc_item* items, std::size_t count,
                    std::size_t& accepted, Slowest& slowest) noexcept {
  Broadcast& b = server.broadcast;
  phx_status status = PHX_OK;
  for (; accepted < count; ++accepted) {
    const phx_ipc_item& item = items[accepted];
    if (item.data == nullptr && item.bytes > 0) status = PHX_INVALID;
    if (item.bytes > b.bytes / 2 - shm::kRingPrefixBytes - sizeof(EventBody)) status = PHX_TOO_BIG;
    if (status != PHX_OK) break;
    const std::uint64_t record = shm::ring_record_bytes(sizeof(EventBody) + item.bytes);
    if (b.limit - b.tail < record) {
      publish(b);  // Who sleeps cannot read what it was not told of.
      if (!make_room(server, record, slowest)) return PHX_TRY_AGAIN;
    }
    append(b, item, record);
  }
  return status;
}

}  // namespace

bool make_broadcast(phx_ipc_server& server, std::uint64_t bytes) noexcept {
  if (bytes == 0) return true;
  Broadcast& b = server.broadcast;
  b.bytes = shm::kChannelRingBytesMin;
  while (b.bytes < bytes && b.bytes < shm::kChannelRingBytesMax) b.bytes *= 2;
  const std::size_t all = kPageBytes + b.bytes;
  b.memory = memfd_create("phalanx-broadcast", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (b.memory < 0 || ftruncate(b.memory, static_cast<off_t>(all)) != 0 ||
      fallocate(b.memory, 0, 0, static_cast<off_t>(all)) != 0) {
    return false;
  }
  void* page = mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, b.memory, 0);
  if (page == MAP_FAILED) return false;
  b.page = new (page) BroadcastPage{};
  b.data = shm::map_mirrored(b.memory, kPageBytes, b.bytes, true);
  if (b.data == nullptr || madvise(page, kPageBytes, MADV_DONTFORK) != 0 ||
      madvise(b.data, 2 * b.bytes, MADV_DONTFORK) != 0) {
    return false;
  }
  // Behind our own mappings: no other one can write, whoever has the descriptor.
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
  if (fcntl(b.memory, F_ADD_SEALS, kSeals) != 0) return false;
  b.readers = static_cast<Connection**>(allocate(server, server.place_count * sizeof(void*)));
  if (b.readers == nullptr) return false;
  b.page->magic = kMagic;
  b.page->version = kVersion;
  b.page->struct_bytes = sizeof(BroadcastPage);
  b.page->ring_bytes = b.bytes;
  b.limit = b.bytes;
  return true;
}

void free_broadcast(phx_ipc_server& server) noexcept {
  Broadcast& b = server.broadcast;
  if (server.forks == fork_count()) {
    shm::unmap_mirrored(b.data, b.bytes);
    if (b.page != nullptr) munmap(b.page, kPageBytes);
  }
  if (b.memory >= 0) close(b.memory);
  if (b.readers != nullptr) release(server, static_cast<void*>(b.readers));
}

void close_broadcast(phx_ipc_server& server) noexcept {
  const client::BiasedGuard guard(server.broadcast.lock);
  server.broadcast.closed = true;
}

void join_broadcast(phx_ipc_server& server, Connection& c) noexcept {
  Broadcast& b = server.broadcast;
  const client::BiasedGuard guard(b.lock);
  publish(b);
  c.broadcast_seen = c.broadcast_joined = b.tail;
  c.memory.page()->broadcast_head.position = b.tail;
  c.reads_broadcast = true;
  if (!c.barriers) ++b.without_barriers;
  b.readers[b.reader_count++] = &c;
}

void leave_broadcast(phx_ipc_server& server, Connection& c) noexcept {
  Broadcast& b = server.broadcast;
  if (b.page == nullptr) return;
  const client::BiasedGuard guard(b.lock);
  for (unsigned i = 0; i < b.reader_count; ++i) {
    if (b.readers[i] != &c) continue;
    remove(b, i);
    return;
  }
}

bool broadcast_since_joining(const phx_ipc_server& server, const Connection& c) noexcept {
  const BroadcastPage* page = server.broadcast.page;
  if (page == nullptr || c.broadcast_joined == kNoBroadcast) return false;
  return std::atomic_ref(const_cast<std::uint64_t&>(page->tail.position))
             .load(std::memory_order_seq_cst) != c.broadcast_joined;
}

bool has_broadcast_room(phx_ipc_server& server, Connection& c) noexcept {
  Broadcast& b = server.broadcast;
  const client::BiasedGuard guard(b.lock);
  if (!c.reads_broadcast) return false;
  const auto enough = [&] { return look(b, c) && b.tail - c.broadcast_seen <= b.bytes / 4 * 3; };
  if (!enough()) {
    ask_for_room(c);
    if (!enough()) return false;
  }
  c.awaits_broadcast_room.store(false, std::memory_order_relaxed);
  if (!c.awaits_room)
    std::atomic_ref(c.memory.page()->flow_control).store(0, std::memory_order_relaxed);
  return true;
}

}  // namespace phalanx::call

using namespace phalanx;
using namespace phalanx::call;

phx_status phx_ipc_broadcast(phx_ipc_server* server, const phx_ipc_item* items, std::size_t count,
                             std::size_t* accepted) {
  if (server == nullptr || accepted == nullptr || (items == nullptr && count > 0))
    return PHX_INVALID;
  *accepted = 0;
  if (server->forks != fork_count()) return PHX_FORKED;
  if (server->broadcast.page == nullptr) return PHX_NOT_SUPPORTED;
  Slowest slowest;
  phx_status status = PHX_DISCONNECTED;
  {
    const client::BiasedGuard guard(server->broadcast.lock);
    if (!server->broadcast.closed) {
      status = send_all(*server, items, count, *accepted, slowest);
      publish(server->broadcast);
    }
  }
  if (slowest.evicted > 0) [[unlikely]] {
    say(*server, 4, "evicted %u readers of the broadcast log, the last of process %d: too slow",
        slowest.evicted, slowest.pid);
  }
  return status;
}

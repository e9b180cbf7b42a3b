// phx_replica_*: opening, closing, and one dispatch.

#include <sys/random.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "ipc/base/time_ns.h"
#include "ipc/client/replica/replica.h"

using phalanx::monotonic_now;
using phalanx::TimeNs;

namespace {

namespace core = phalanx::replica;

constexpr std::size_t kMessageHeadroom = 64;

template <class T>
T or_default(T value, T fallback) noexcept {
  return value == 0 ? fallback : value;
}

bool are_good(const phx_replica_options* options) noexcept {
  return options != nullptr && options->struct_bytes == sizeof *options &&
         options->callbacks.snapshot != nullptr && options->callbacks.restore != nullptr &&
         options->callbacks.apply != nullptr && options->meeting_ms >= 0 &&
         options->transfer_ms >= 0 && options->slow_ms >= 0 && options->attach_timeout_ms >= 0 &&
         options->version_min <= options->version &&
         (options->group != nullptr || options->group_bytes == 0);
}

core::Options core_options(const phx_replica_options& wanted, std::size_t message_bytes_max) {
  core::Options out;
  while (out.origin == 0) {
    if (getrandom(&out.origin, sizeof out.origin, 0) != sizeof out.origin) out.origin = 0;
  }
  out.version = wanted.version;
  out.version_min = wanted.version_min;
  out.write_quorum = wanted.write_quorum != 0;
  out.message_bytes_max = message_bytes_max - kMessageHeadroom;
  out.batch_bytes_max = or_default(wanted.batch_bytes, out.batch_bytes_max);
  out.history_bytes_max = or_default(wanted.history_bytes, out.history_bytes_max);
  out.pending_bytes_max = or_default(wanted.pending_bytes, out.pending_bytes_max);
  out.snapshot_bytes_max = or_default(wanted.snapshot_bytes_max, out.snapshot_bytes_max);
  const auto time = [](int ms, TimeNs fallback) {
    return ms == 0 ? fallback : static_cast<TimeNs>(ms) * phalanx::kMillisecond;
  };
  out.meeting_time = time(wanted.meeting_ms, out.meeting_time);
  out.transfer_time = time(wanted.transfer_ms, out.transfer_time);
  return out;
}

/// The handle is made first: it says how long a message may be. Nothing is dispatched before the
/// replica is there.
phx_status attach(const phx_replica_options& wanted, void* context, phx_handle& handle) noexcept {
  phx_options options{};
  options.struct_bytes = sizeof options;
  options.callbacks = phalanx::client::replica::callbacks_of();
  options.context = context;
  options.instance = wanted.instance;
  options.runtime_directory = wanted.runtime_directory;
  options.program = wanted.program;
  options.attach_timeout_ms = wanted.attach_timeout_ms;
  options.delivery_ring_bytes = or_default(wanted.delivery_ring_bytes, std::size_t{4} << 20);
  return phx_initialize(&options, &handle);
}

}  // namespace

phx_status phx_replica_open(const phx_replica_options* options, phx_replica** replica) {
  if (replica == nullptr || !are_good(options)) return PHX_INVALID;
  void* memory = std::malloc(sizeof(phx_replica));
  if (memory == nullptr) return PHX_NO_MEMORY;
  phx_handle handle = 0;
  phx_status status = attach(*options, memory, handle);
  phx_limit_values limits{};
  if (status == PHX_OK) status = phx_limits(handle, &limits);
  phx_group group = 0;
  if (status == PHX_OK && !phalanx::client::replica::is_in_first_lane(handle, *options))
    status = PHX_WRONG_LANE;
  if (status == PHX_OK) status = phx_join(handle, options->group, options->group_bytes, &group);
  if (status != PHX_OK) {
    if (handle != 0) (void)phx_finalize(handle);
    std::free(memory);
    return status;
  }
  phx_replica_options kept = *options;
  kept.slow_ms = or_default(kept.slow_ms, 100);
  const core::Host host = phalanx::client::replica::host_of(static_cast<phx_replica*>(memory),
                                                            kept.callbacks.merge != nullptr);
  auto* self = new (memory) phx_replica(kept, core_options(kept, limits.message_bytes_max), host);
  self->handle = handle;
  self->group = group;
  *replica = self;
  return PHX_OK;
}

void phx_replica_close(phx_replica* replica) {
  if (replica == nullptr) return;
  (void)phx_finalize(replica->handle);
  replica->~phx_replica();
  std::free(replica);
}

phx_status phx_replica_submit(phx_replica* replica, const void* data, size_t bytes,
                              uint64_t ticket) {
  if (replica == nullptr || (data == nullptr && bytes != 0)) return PHX_INVALID;
  if (bytes > replica->replica.operation_bytes_max()) return PHX_TOO_BIG;
  const std::span<const std::byte> operation(static_cast<const std::byte*>(data), bytes);
  return replica->replica.submit(operation, ticket) ? PHX_OK : PHX_TRY_AGAIN;
}

phx_status phx_replica_flush(phx_replica* replica) {
  if (replica == nullptr) return PHX_INVALID;
  replica->replica.pump();
  return PHX_OK;
}

phx_status phx_replica_dispatch(phx_replica* replica, int timeout_ms) {
  if (replica == nullptr) return PHX_INVALID;
  phx_replica& self = *replica;
  const TimeNs begin = monotonic_now();
  const TimeNs end = timeout_ms < 0
                         ? phalanx::kNever
                         : begin + static_cast<TimeNs>(timeout_ms) * phalanx::kMillisecond;
  for (;;) {
    if (self.refused != PHX_OK) return self.refused;
    if (self.rejoin && phx_join(self.handle, self.options.group, self.options.group_bytes,
                                &self.group) == PHX_OK) {
      self.rejoin = false;
    }
    const TimeNs now = monotonic_now();
    self.replica.on_time(now);
    self.replica.pump();
    // Time-outs of the core, and a full ring, are looked at again at least that often.
    TimeNs wait = std::min<TimeNs>(end > now ? end - now : 0, 50 * phalanx::kMillisecond);
    const TimeNs due = self.replica.wake_at();
    if (due != phalanx::kNever) wait = std::min<TimeNs>(wait, due > now ? due - now : 0);
    const int ms = static_cast<int>((wait + phalanx::kMillisecond - 1) / phalanx::kMillisecond);
    const phx_status status = phx_dispatch(self.handle, PHX_DISPATCH_ALL, ms);
    if (status == PHX_OK) self.replica.pump();
    if (status != PHX_TRY_AGAIN || monotonic_now() >= end) return status;
  }
}

phx_status phx_replica_fd(phx_replica* replica, int* fd) {
  return replica == nullptr ? PHX_INVALID : phx_fd(replica->handle, fd);
}

phx_status phx_replica_state(phx_replica* replica, phx_replica_status* status) {
  if (replica == nullptr || status == nullptr) return PHX_INVALID;
  const core::Replica& from = replica->replica;
  const core::Counters& counters = from.counters();
  *status = {.live = from.live() ? 1 : 0,
             .quorate = from.quorate() ? 1 : 0,
             .members = replica->members,
             .pending = from.pending(),
             .operations = from.operations(),
             .digest = from.digest(),
             .applied = counters.applied,
             .refused = counters.refused,
             .merged = counters.merged,
             .merge_failures = counters.merge_failures,
             .lost_sides = counters.lost_sides,
             .meetings = counters.meetings,
             .snapshots_given = counters.given,
             .snapshots_taken = counters.taken,
             .transfer_faults = counters.transfer_faults,
             .rejected = counters.rejected,
             .slow = replica->slow};
  return PHX_OK;
}

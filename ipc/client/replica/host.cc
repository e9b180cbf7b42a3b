// From the core to the application's callbacks.

#include "ipc/base/time_ns.h"
#include "ipc/client/replica/replica.h"

namespace phalanx::client::replica {
namespace {

namespace core = phalanx::replica;

phx_replica& of(void* context) noexcept { return *static_cast<phx_replica*>(context); }

void report(phx_replica& self, phx_replica_event event, phx_replica_fault fault, core::MemberId who,
            std::uint64_t count) noexcept {
  if (self.options.callbacks.report == nullptr) return;
  const phx_replica_report told{
      .event = event, .fault = fault, .node = who.node, .client = who.client, .count = count};
  self.options.callbacks.report(self.options.context, &told);
}

phx_replica_operation to_c(const core::Operation& operation) noexcept {
  return {.data = operation.bytes.data(),
          .bytes = operation.bytes.size(),
          .origin = operation.origin,
          .number = operation.number,
          .own = operation.own ? 1 : 0};
}

bool send(void* context, const iovec* parts, std::size_t count) noexcept {
  phx_replica& self = of(context);
  return phx_multicast(self.handle, self.group, parts, count, PHX_SAFE) == PHX_OK;
}

bool snapshot(void* context, core::Buffer& out) noexcept {
  phx_replica& self = of(context);
  const Stopwatch watch(self);
  return self.options.callbacks.snapshot(self.options.context,
                                         reinterpret_cast<phx_replica_writer*>(&out)) == 0;
}

bool restore(void* context, std::span<const std::byte> in, std::uint32_t version,
             bool initial) noexcept {
  phx_replica& self = of(context);
  const Stopwatch watch(self);
  return self.options.callbacks.restore(self.options.context, initial ? nullptr : in.data(),
                                        in.size(), version) == 0;
}

std::int64_t apply(void* context, const core::Operation& operation) noexcept {
  phx_replica& self = of(context);
  const phx_replica_operation told = to_c(operation);
  return self.options.callbacks.apply(self.options.context, &told);
}

bool merge(void* context, const core::Operation& operation) noexcept {
  phx_replica& self = of(context);
  const phx_replica_operation told = to_c(operation);
  return self.options.callbacks.merge(self.options.context, &told) == 0;
}

phx_status to_c(core::Outcome outcome) noexcept {
  switch (outcome) {
    case core::Outcome::Done:
      return PHX_OK;
    case core::Outcome::NotQuorate:
      return PHX_NOT_QUORATE;
    case core::Outcome::Full:
      return PHX_FULL;
    case core::Outcome::InDoubt:
      return PHX_IN_DOUBT;
  }
  return PHX_IN_DOUBT;
}

void answer(void* context, std::uint64_t ticket, core::Outcome outcome,
            std::int64_t result) noexcept {
  phx_replica& self = of(context);
  if (self.options.callbacks.answer != nullptr)
    self.options.callbacks.answer(self.options.context, ticket, to_c(outcome), result);
}

void notice(void* context, const core::Notice& told) noexcept {
  report(of(context), static_cast<phx_replica_event>(static_cast<int>(told.event) + 1),
         static_cast<phx_replica_fault>(told.fault), told.who, told.count);
}

static_assert(static_cast<int>(core::Event::MergeFailed) + 1 == PHX_REPLICA_MERGE_FAILED);
static_assert(static_cast<int>(core::Fault::Memory) == PHX_REPLICA_FAULT_MEMORY);

}  // namespace

Stopwatch::Stopwatch(phx_replica& self) noexcept
    : self_(self), begin_(self.timing ? 0 : monotonic_now()), outer_(!self.timing) {
  self.timing = true;
}

Stopwatch::~Stopwatch() {
  if (!outer_) return;
  self_.timing = false;
  const TimeNs took = monotonic_now() - begin_;
  if (took <= static_cast<TimeNs>(self_.options.slow_ms) * kMillisecond) return;
  ++self_.slow;
  report(self_, PHX_REPLICA_SLOW, PHX_REPLICA_FAULT_NONE, {}, took / kMicrosecond);
}

core::Host host_of(phx_replica* self, bool merges) noexcept {
  return {.context = self,
          .send = send,
          .snapshot = snapshot,
          .restore = restore,
          .apply = apply,
          .merge = merges ? merge : nullptr,
          .answer = answer,
          .notice = notice};
}

}  // namespace phalanx::client::replica

phx_status phx_replica_write(phx_replica_writer* writer, const void* data, size_t bytes) {
  if (writer == nullptr || (data == nullptr && bytes != 0)) return PHX_INVALID;
  auto& out = *reinterpret_cast<phalanx::replica::Buffer*>(writer);
  return out.append(data, bytes) ? PHX_OK : PHX_NO_MEMORY;
}

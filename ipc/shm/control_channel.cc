#include "ipc/shm/control_channel.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "ipc/shm/control_ring.h"
#include "ipc/shm/statistics_sum.h"

namespace phalanx::shm {
namespace {

void ring_doorbell(int eventfd) noexcept {
  const std::uint64_t one = 1;
  // A full counter means that the other side has not looked since: it is awake or waking.
  [[maybe_unused]] const ssize_t n = write(eventfd, &one, sizeof one);
}

}  // namespace

ControlWorkerEnd::ControlWorkerEnd(const ControlSegment& segment, int event_doorbell) noexcept
    : commands_(segment.layout().commands),
      events_(segment.layout().events),
      statistics_(segment.statistics().writable()),
      doorbell_(event_doorbell) {}

bool ControlWorkerEnd::has_command() const noexcept { return !ring_empty(commands_); }

std::optional<Command> ControlWorkerEnd::take_command() {
  if (!ring_pop(commands_, scratch_)) return {};
  std::optional<Command> command = decode_command(scratch_);
  if (!command) count(Counter::CommandsBad, 1);
  return command;
}

bool ControlWorkerEnd::post(const Event& event) {
  scratch_.clear();
  encode(event, scratch_);
  posted_ = true;
  if (ring_push(events_, scratch_)) return true;
  count(Counter::EventsLost, 1);
  return false;
}

void ControlWorkerEnd::ring_if_needed() noexcept {
  if (!posted_) return;
  posted_ = false;
  if (ring_take_wake(events_)) ring_doorbell(doorbell_);
}

bool ControlWorkerEnd::arm() noexcept { return ring_arm(commands_); }
void ControlWorkerEnd::disarm() noexcept { ring_disarm(commands_); }

void ControlWorkerEnd::publish(const WorkerStatus& status) noexcept {
  write_status(statistics_, status);
}

StatisticsTables& ControlWorkerEnd::begin_tables() noexcept {
  return begin_write(statistics_.tables);
}

void ControlWorkerEnd::end_tables() noexcept { end_write(statistics_.tables); }

void ControlWorkerEnd::count(Counter counter, std::uint64_t add) noexcept {
  std::uint64_t& at = statistics_.counters[static_cast<std::size_t>(counter)];
  std::atomic_ref(at).store(at + add, std::memory_order_relaxed);
}

bool ControlOrders::send(const Command& command) {
  scratch_.clear();
  encode(command, scratch_);
  if (!ring_push(commands_, scratch_)) return false;
  if (ring_take_wake(commands_)) ring_doorbell(doorbell_);
  return true;
}

std::optional<Event> ControlOrders::take_event() {
  while (ring_pop(events_, scratch_)) {
    if (std::optional<Event> event = decode_event(scratch_)) return event;
  }
  return {};
}

bool ControlOrders::has_event() const noexcept { return !ring_empty(events_); }
bool ControlOrders::arm() noexcept { return ring_arm(events_); }
void ControlOrders::disarm() noexcept { ring_disarm(events_); }

ControlPlaneEnd::ControlPlaneEnd(const ControlSegment& segment, int command_doorbell) noexcept
    : layout_(segment.layout()),
      statistics_(segment.statistics()),
      orders_(layout_.commands, layout_.events, command_doorbell) {}

std::optional<WorkerStatus> ControlPlaneEnd::status() const noexcept {
  WorkerStatus copy;
  if (!read_status(statistics_, copy)) return {};
  return copy;
}

std::unique_ptr<StatisticsTables> ControlPlaneEnd::tables() const {
  auto copy = std::make_unique<StatisticsTables>();
  if (!read_tables(statistics_, *copy)) return nullptr;
  return copy;
}

std::uint64_t ControlPlaneEnd::counter(Counter counter) const noexcept {
  return read_counter(statistics_, counter);
}

void ControlPlaneEnd::store_attempt(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() > kAttemptBytesMax) return;
  AttemptMemory& memory = layout_.attempt;
  const std::uint32_t next = memory.current == 0 ? 1 : 0;
  memory.length[next] = static_cast<std::uint32_t>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), memory.bytes[next]);
  std::atomic_ref(memory.current).store(next, std::memory_order_release);
}

std::vector<std::byte> ControlPlaneEnd::load_attempt() const {
  const AttemptMemory& memory = layout_.attempt;
  const std::uint32_t current = memory.current & 1;
  const std::size_t length = std::min<std::size_t>(memory.length[current], kAttemptBytesMax);
  return {memory.bytes[current], memory.bytes[current] + length};
}

}  // namespace phalanx::shm

#include "ipc/shm/control_channel.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

#include "ipc/shm/control_ring.h"

namespace phalanx::shm {
namespace {

void ring_doorbell(int eventfd) noexcept {
  const std::uint64_t one = 1;
  // A full counter means that the other side has not looked since: it is awake or waking.
  [[maybe_unused]] const ssize_t n = write(eventfd, &one, sizeof one);
}

constexpr std::array<std::string_view, kCounters> kNames = {"turns",
                                                            "idle_turns",
                                                            "sleeps",
                                                            "wakes_asked",
                                                            "rx_frames",
                                                            "rx_bytes",
                                                            "tx_frames",
                                                            "tx_bytes",
                                                            "rx_malformed",
                                                            "rx_other_version",
                                                            "rx_own_node",
                                                            "rx_unknown_sender",
                                                            "rx_unknown_key",
                                                            "rx_other_receiver",
                                                            "rx_replayed",
                                                            "rx_bad_tag",
                                                            "rx_out_of_range",
                                                            "rx_duplicate",
                                                            "rx_wrong_state",
                                                            "rx_not_member",
                                                            "control_messages_in",
                                                            "control_messages_out",
                                                            "control_messages_lost",
                                                            "commands_bad",
                                                            "events_lost",
                                                            "submitted",
                                                            "submitted_bytes",
                                                            "submissions_refused",
                                                            "clients_bad",
                                                            "records_delivered",
                                                            "record_bytes_delivered",
                                                            "events_delivered",
                                                            "clients_attached",
                                                            "clients_detached",
                                                            "clients_evicted",
                                                            "views_installed",
                                                            "distrusted_ms",
                                                            "wire_overflow",
                                                            "wire_refused",
                                                            "wire_tx_refused"};
static_assert(!kNames.back().empty());

}  // namespace

std::string_view counter_name(Counter counter) noexcept {
  return kNames[static_cast<std::size_t>(counter)];
}

ControlWorkerEnd::ControlWorkerEnd(ControlLayout& layout, int event_doorbell) noexcept
    : layout_(layout), doorbell_(event_doorbell) {}

bool ControlWorkerEnd::has_command() const noexcept { return !ring_empty(layout_.commands); }

std::optional<Command> ControlWorkerEnd::take_command() {
  if (!ring_pop(layout_.commands, scratch_)) return {};
  std::optional<Command> command = decode_command(scratch_);
  if (!command) count(Counter::CommandsBad, 1);
  return command;
}

bool ControlWorkerEnd::post(const Event& event) {
  scratch_.clear();
  encode(event, scratch_);
  posted_ = true;
  if (ring_push(layout_.events, scratch_)) return true;
  count(Counter::EventsLost, 1);
  return false;
}

void ControlWorkerEnd::ring_if_needed() noexcept {
  if (!posted_) return;
  posted_ = false;
  if (ring_take_wake(layout_.events)) ring_doorbell(doorbell_);
}

bool ControlWorkerEnd::arm() noexcept { return ring_arm(layout_.commands); }
void ControlWorkerEnd::disarm() noexcept { ring_disarm(layout_.commands); }

void ControlWorkerEnd::publish(const WorkerStatus& status) noexcept {
  std::atomic_ref round(layout_.status_round);
  const std::uint64_t now = layout_.status_round;
  round.store(now + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  std::memcpy(&layout_.status, &status, sizeof status);
  round.store(now + 2, std::memory_order_release);
}

void ControlWorkerEnd::count(Counter counter, std::uint64_t add) noexcept {
  std::uint64_t& at = layout_.counters[static_cast<std::size_t>(counter)];
  std::atomic_ref(at).store(at + add, std::memory_order_relaxed);
}

ControlPlaneEnd::ControlPlaneEnd(ControlLayout& layout, int command_doorbell) noexcept
    : layout_(layout), doorbell_(command_doorbell) {}

bool ControlPlaneEnd::send(const Command& command) {
  scratch_.clear();
  encode(command, scratch_);
  if (!ring_push(layout_.commands, scratch_)) return false;
  if (ring_take_wake(layout_.commands)) ring_doorbell(doorbell_);
  return true;
}

std::optional<Event> ControlPlaneEnd::take_event() {
  while (ring_pop(layout_.events, scratch_)) {
    if (std::optional<Event> event = decode_event(scratch_)) return event;
  }
  return {};
}

bool ControlPlaneEnd::arm() noexcept { return ring_arm(layout_.events); }

std::optional<WorkerStatus> ControlPlaneEnd::status() const noexcept {
  const std::atomic_ref round(layout_.status_round);
  for (int attempt = 0; attempt < 10'000; ++attempt) {
    const std::uint64_t before = round.load(std::memory_order_acquire);
    if ((before & 1) != 0) continue;
    WorkerStatus copy;
    std::memcpy(&copy, &layout_.status, sizeof copy);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (round.load(std::memory_order_relaxed) != before) continue;
    copy.members = std::min<std::uint32_t>(copy.members, kNodesMax);
    copy.lanes = std::min<std::uint32_t>(copy.lanes, kLanesMax);
    return copy;
  }
  return {};
}

std::uint64_t ControlPlaneEnd::counter(Counter counter) const noexcept {
  return std::atomic_ref(layout_.counters[static_cast<std::size_t>(counter)])
      .load(std::memory_order_relaxed);
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

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"
#include "ipc/base/ids.h"
#include "ipc/shm/control_layout.h"
#include "ipc/shm/statistics_memory.h"

namespace phalanx::shm {

/// What the control plane tells the worker, in order. Plain data; only the fields named beside a
/// kind mean anything. wire:: things travel encoded, so that ipc knows nothing of the wire.
enum class CommandKind : std::uint8_t {
  SendControl =
      1,   ///< message_kind, to (nobody named: every configured node), bytes (encoded message).
  Freeze,  ///< attempt. Answered by Frozen, also when frozen already.
  BeginRecovery,  ///< attempt, bytes: encoded wire::Plan. Answered by Recovered, once it is so, or
                  ///< by Refused.
  Install,        ///< attempt, bytes: encoded wire::Plan, token: 1 when the view is quorate.
                  ///< Answered by Installed or Refused.
  ListGroups,     ///< token. Answered by Groups.
  Tune,           ///< bytes: an encoded Tuning.
};

/// What of a worker's configuration may change while it runs.
struct Tuning {
  TimeNs dead_after = 0;   ///< Above 0.
  bool throttles = false;  ///< A slow client holds its lane back, for throttle_max at most.
  TimeNs throttle_max = 0;
  friend bool operator==(const Tuning&, const Tuning&) = default;
};

struct Command {
  CommandKind kind = CommandKind::Freeze;
  std::uint8_t message_kind = 0;  ///< wire::MessageKind.
  std::uint32_t token = 0;
  ViewId attempt;
  std::vector<Member> to;
  std::vector<std::byte> bytes;
  friend bool operator==(const Command&, const Command&) = default;
};

/// What the worker tells the control plane.
enum class WorkerEventKind : std::uint8_t {
  ControlMessage = 1,  ///< sender, message_kind, bytes: a whole message whose tag was right.
  Frozen,              ///< bytes: encoded wire::Report for the attempt of the Freeze.
  Recovered,           ///< view: the attempt. The node holds the cut and all tails.
  Installed,           ///< view.
  ClientAttached,      ///< client, pid, uid, gid.
  ClientDetached,      ///< client.
  Groups,              ///< token, bytes: a GroupList, see dataplane/worker/group_table.h.
  Distrust,            ///< token: milliseconds this worker was not scheduled for.
  Refused,             ///< view: the attempt. token: the CommandKind that will not be done.
  KeysHeld,            ///< After ControlPacket::Kind::Keys. token: 1 and bytes: the fingerprints of
                       ///< the cluster keys that the worker holds, 16 each; 0 and bytes: why not.
};

struct Event {
  WorkerEventKind kind = WorkerEventKind::Frozen;
  std::uint8_t message_kind = 0;
  std::uint32_t token = 0;
  Member sender;
  ViewId view;
  ClientId client = 0;
  std::uint32_t pid = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::byte> bytes;
  friend bool operator==(const Event&, const Event&) = default;
};

void encode(const Command& command, std::vector<std::byte>& out);
void encode(const Event& event, std::vector<std::byte>& out);
void encode(const Tuning& tuning, std::vector<std::byte>& out);
[[nodiscard]] std::optional<Tuning> decode_tuning(std::span<const std::byte> bytes);
[[nodiscard]] std::optional<Command> decode_command(std::span<const std::byte> bytes);
[[nodiscard]] std::optional<Event> decode_event(std::span<const std::byte> bytes);

/// What the data plane is, fixed at its start.
struct DataPlaneIdentity {
  Member self;
  std::uint32_t pid = 0;
  std::uint32_t witness = 0;        ///< A thread that ends when the process is killed; 0: none.
  std::uint64_t config_hash = 0;    ///< Of the cluster part of the configuration it runs with.
  std::vector<std::byte> obituary;  ///< Sealed bytes to send to the peers when it is dead.
  std::size_t workers = 1;
};

/// Owns the mapping of a control segment. Each part of it has one writer: see control_layout.h.
class ControlSegment {
 public:
  /// New sealed memfds: this one, and the statistics. Called once by the data plane.
  [[nodiscard]] static Expected<ControlSegment, Error> create(const DataPlaneIdentity& identity);
  /// Maps what the data plane passed; checks seals, size, magic and version of both.
  [[nodiscard]] static Expected<ControlSegment, Error> map(Fd memory, Fd statistics);

  ControlSegment(ControlSegment&& other) noexcept;
  ControlSegment& operator=(ControlSegment&& other) noexcept;
  ~ControlSegment();

  [[nodiscard]] ControlLayout& layout() const noexcept { return *layout_; }
  [[nodiscard]] int fd() const noexcept { return memory_.get(); }
  [[nodiscard]] const StatisticsMemory& statistics() const noexcept { return statistics_; }
  [[nodiscard]] DataPlaneIdentity identity() const;

 private:
  ControlSegment(Fd memory, ControlLayout* layout, StatisticsMemory statistics) noexcept
      : memory_(std::move(memory)), layout_(layout), statistics_(std::move(statistics)) {}
  Fd memory_;
  ControlLayout* layout_ = nullptr;
  StatisticsMemory statistics_;
};

/// Both directions of what a worker and whoever orders it tell each other.
struct ControlRings {
  ControlRing commands;
  ControlRing events;
};

/// The worker's end: takes commands, posts events, writes status and counters. One thread.
class ControlWorkerEnd {
 public:
  /// Of a worker that is ordered by another one of its process. All is borrowed.
  ControlWorkerEnd(ControlRings& rings, StatisticsLayout& statistics, int event_doorbell) noexcept
      : commands_(rings.commands),
        events_(rings.events),
        statistics_(statistics),
        doorbell_(event_doorbell) {}
  /// Of the segment that was created here. `event_doorbell` is an eventfd that wakes the control
  /// plane. Both are borrowed.
  ControlWorkerEnd(const ControlSegment& segment, int event_doorbell) noexcept;

  /// True when a command waits: one load, no system call.
  [[nodiscard]] bool has_command() const noexcept;
  /// Empty when there is none. A command that makes no sense is dropped and counted.
  [[nodiscard]] std::optional<Command> take_command();
  /// False (and counted) when the ring is full: the control plane is away or slow.
  bool post(const Event& event);
  /// Wakes the control plane if it sleeps and something was posted. Once a turn.
  void ring_if_needed() noexcept;

  /// Before this worker sleeps: from here on the control plane rings. True when a command came in
  /// between: do not sleep. disarm() after waking.
  [[nodiscard]] bool arm() noexcept;
  void disarm() noexcept;

  /// Whole and consistent for readers; some 100 ns.
  void publish(const WorkerStatus& status) noexcept;
  /// Likewise the tables, written in place between these two.
  [[nodiscard]] StatisticsTables& begin_tables() noexcept;
  void end_tables() noexcept;
  void count(Counter counter, std::uint64_t add) noexcept;
  [[nodiscard]] std::uint64_t counted(Counter counter) const noexcept {
    return statistics_.counters[static_cast<std::size_t>(counter)];
  }

 private:
  ControlRing& commands_;
  ControlRing& events_;
  StatisticsLayout& statistics_;
  int doorbell_;
  bool posted_ = false;
  std::vector<std::byte> scratch_;
};

/// The other end of the rings: sends commands, takes events. One thread.
class ControlOrders {
 public:
  /// `command_doorbell` is an eventfd that wakes the worker. All is borrowed.
  ControlOrders(ControlRing& commands, ControlRing& events, int command_doorbell) noexcept
      : commands_(commands), events_(events), doorbell_(command_doorbell) {}

  /// False when the ring is full. Rings when the worker sleeps.
  [[nodiscard]] bool send(const Command& command);
  [[nodiscard]] std::optional<Event> take_event();
  /// Whether an event waits: one load.
  [[nodiscard]] bool has_event() const noexcept;
  /// Before sleeping: true when an event came in between: do not sleep. Call after each drain.
  [[nodiscard]] bool arm() noexcept;
  void disarm() noexcept;

 private:
  ControlRing& commands_;
  ControlRing& events_;
  int doorbell_;
  std::vector<std::byte> scratch_;
};

/// The control plane's end. One thread. It may die at any moment and a new one go on in its place.
class ControlPlaneEnd {
 public:
  /// `command_doorbell` is an eventfd that wakes the worker. Both are borrowed.
  ControlPlaneEnd(const ControlSegment& segment, int command_doorbell) noexcept;

  /// False when the ring is full: the worker is dead or stopped. Rings when the worker sleeps.
  [[nodiscard]] bool send(const Command& command) { return orders_.send(command); }
  [[nodiscard]] std::optional<Event> take_event() { return orders_.take_event(); }

  /// Before sleeping: true when an event came in between: do not sleep. Call after each drain.
  [[nodiscard]] bool arm() noexcept { return orders_.arm(); }

  /// Of all workers together: statistics_sum.h. Empty when one died in the middle of writing it.
  [[nodiscard]] std::optional<WorkerStatus> status() const noexcept;
  /// Some 100 KiB; nullptr while the worker does not let it be read whole.
  [[nodiscard]] std::unique_ptr<StatisticsTables> tables() const;
  [[nodiscard]] std::uint64_t counter(Counter counter) const noexcept;

  /// The attempt that survives this process. At most kAttemptBytesMax; whole or not at all.
  void store_attempt(std::span<const std::byte> bytes) noexcept;
  [[nodiscard]] std::vector<std::byte> load_attempt() const;

 private:
  ControlLayout& layout_;
  const StatisticsMemory& statistics_;
  ControlOrders orders_;
};

}  // namespace phalanx::shm

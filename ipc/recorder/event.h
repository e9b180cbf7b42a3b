#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "ipc/base/ids.h"

namespace phalanx::recorder {

/// Whose business an event is; `--subsystem` filters by it.
enum class Subsystem : std::uint8_t { Process, Worker, Lane, Client, Membership, Quorum, Admin };

/// What happened. Numbers are part of the file's layout: they are never used for anything else.
enum class Kind : std::uint16_t {
  None = 0,
  Started = 1,  ///< This thread began.
  Stopped = 2,  ///< In good order.

  Gap = 10,         ///< The worker was due and did not turn.
  Distrusted = 11,  ///< ... so long that it accuses nobody for a while.
  WireLoss = 12,    ///< The wire lost or refused frames since the last such event.

  Frozen = 20,
  RecoveryBegan = 21,
  Recovered = 22,
  Installed = 23,
  BarrierDone = 24,  ///< Every member's group state is in the log.
  Refused = 25,      ///< An order of the control plane that does not fit.
  Orderer = 26,      ///< Who orders this lane now.
  Progress = 27,     ///< A part of the log was received and delivered; every 10 ms at most.
  NakSent = 28,
  NakHeard = 29,
  SubmitRefused = 30,  ///< Submissions of clients were refused since the last such event.

  ClientAttached = 40,
  ClientGone = 41,
  ClientEvicted = 42,
  ClientSlow = 43,  ///< Its ring is full: the lane's delivery waits for it.

  Suspected = 50,
  Trusted = 51,  ///< The suspicion is taken back.
  Convicted = 52,
  HeardAgain = 53,
  AttemptStarted = 54,
  AttemptPromised = 55,
  AttemptFailed = 56,
  ReportSent = 57,
  PlanMade = 58,
  PlanTaken = 59,
  DoneSent = 60,
  InstallOrdered = 61,
  ViewInstalled = 62,
  Obituary = 63,
  PeerLinkDown = 64,
  OwnLink = 65,
  Left = 67,     ///< A member of the view before that is not in the new one, and why.
  KeptOut = 66,  ///< A peer that is heard and may not take part.

  QuorumIs = 70,

  DataPlaneUp = 80,
  DataPlaneDown = 81,
  Order = 82,  ///< An administrator's, carried out.
  OrderRefused = 83,
};

/// One event: 64 bytes, whatever it tells. What a, b and c mean is in info_of().
struct Event {
  std::uint64_t number = 0;  ///< Counts up from 1 with every event of this file; 0: never written.
  std::uint64_t ticks = 0;   ///< Time-stamp counter.
  Kind kind = Kind::None;
  LaneId lane = 0;
  NodeId node = 0;         ///< Whom it is about; 0: nobody but this node.
  std::uint64_t view = 0;  ///< Sequence of the view or attempt; 0: none.
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::uint64_t c = 0;
  std::uint64_t check = 0;  ///< check_of() of all before it.

  friend bool operator==(const Event&, const Event&) = default;
};
static_assert(sizeof(Event) == 64 && std::is_trivially_copyable_v<Event>);

/// Finds an event that was half written, or scribbled on; not a forger. Some 10 cycles: the
/// multiplications do not wait for each other.
[[nodiscard]] constexpr std::uint64_t check_of(const Event& event) noexcept {
  const std::uint64_t what = std::uint64_t{event.node} << 32 | std::uint64_t{event.lane} << 16 |
                             static_cast<std::uint64_t>(event.kind);
  std::uint64_t sum = 0x9e3779b97f4a7c15 + event.number * 0xbf58476d1ce4e5b9;
  sum += event.ticks * 0x94d049bb133111eb;
  sum += what * 0xd6e8feb86659fd93;
  sum += event.view * 0xa0761d6478bd642f;
  sum += event.a * 0xe7037ed1a0b428db;
  sum += event.b * 0x8ebc6af09c88c6e3;
  sum += event.c * 0x589965cc75374cc3;
  return sum ^ sum >> 29;
}

/// What a, b and c hold, so that one table serves all who print.
enum class Field : std::uint8_t {
  Unused,
  Number,
  Position,  ///< Bytes of a log.
  Nodes,     ///< A set: bit i is the i-th configured node, see FileHeader::nodes.
  Duration,  ///< Nanoseconds.
  Truth,     ///< 0 or 1.
  Rule,      ///< membership::LossRule.
  Command,   ///< Of an administrator: eight letters, the first in the lowest byte.
};

struct FieldInfo {
  std::string_view name;
  Field type = Field::Unused;
};

struct KindInfo {
  Kind kind = Kind::None;
  std::string_view name;  ///< "view-installed".
  Subsystem subsystem = Subsystem::Process;
  std::array<FieldInfo, 3> fields;  ///< a, b, c.
};

/// nullptr for a number that this version does not know.
[[nodiscard]] const KindInfo* info_of(Kind kind) noexcept;
[[nodiscard]] std::string_view to_string(Subsystem subsystem) noexcept;

/// The first eight letters of a command's name, for Field::Command, and back.
[[nodiscard]] std::uint64_t pack_word(std::string_view word) noexcept;

}  // namespace phalanx::recorder

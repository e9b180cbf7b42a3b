#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "ipc/base/histogram.h"
#include "ipc/base/time_ns.h"

namespace phalanx::perf {

/// How messages are offered.
enum class Load : std::uint32_t {
  Flood,      ///< As many as flow control lets through.
  Closed,     ///< So many outstanding; the next one when one has come back.
  Open,       ///< By a timetable that nothing delays: a latency counts from the time in it.
  RoundTrip,  ///< One outstanding, answered by the next node's client.
};

/// What clients do in one round.
struct GroupWork {
  Load load = Load::Flood;
  std::uint64_t size = 64;        ///< Bytes of a message; kStampBytes at least.
  std::uint64_t rate = 0;         ///< Open: messages a second of all senders together.
  std::uint64_t outstanding = 1;  ///< Closed: of each sender.
  std::uint64_t senders = 1;      ///< A bit a client.
  std::uint32_t safe = 0;         ///< Sent with PHX_SAFE.
  TimeNs start = 0;               ///< When to begin; Open: when the timetable does.
  TimeNs measure_from = 0;        ///< Latencies count from messages that began in
  TimeNs measure_to = 0;          ///< [measure_from, measure_to).
};

/// What a message begins with.
struct Stamp {
  TimeNs began = 0;  ///< When it was sent; Open: when it should have been.
  std::uint32_t round = 0;
  std::uint32_t answer = 0;  ///< RoundTrip: the way back.
};
inline constexpr std::uint64_t kStampBytes = sizeof(Stamp);
static_assert(kStampBytes == 16);

inline constexpr std::size_t kGroupNodesMax = 16;

enum class GroupPhase : std::uint32_t { Wait, Run, Quit };

/// Memory that the benchmark shares with its clients, one a node. Each word has one writer.
struct alignas(64) GroupSlot {
  std::atomic<std::uint32_t> members;  ///< In the last group view.
  std::atomic<std::uint32_t> round;    ///< Whose work it has taken.
  std::atomic<std::uint32_t> rested;   ///< The last round of which it sends nothing more.
  std::atomic<std::uint32_t> failed;   ///< `error` says why.
  std::atomic<std::uint64_t> sent;
  std::atomic<std::uint64_t> delivered;
  std::atomic<std::uint64_t> own;     ///< Of these, its own.
  std::atomic<std::uint64_t> unsent;  ///< Open: due, but not sent when the round ended.
  std::atomic<std::uint64_t> hash;    ///< Over who sent what, in the order of delivery.
  std::array<char, 160> error;
  Histogram own_delivery;  ///< These three are read when the round is over.
  Histogram other_delivery;
  Histogram round_trip;
};

struct GroupBoard {
  std::atomic<std::uint32_t> round;
  std::atomic<GroupPhase> phase;
  GroupWork work;  ///< Written before `round`.
  std::array<GroupSlot, kGroupNodesMax> slots;
};

}  // namespace phalanx::perf

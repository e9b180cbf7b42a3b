#pragma once

#include <sys/uio.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ipc/base/time_ns.h"
#include "ipc/replica/buffer.h"

namespace phalanx::replica {

/// A replica's place in its group, as phx_member has it. Changes when it attaches again.
struct MemberId {
  std::uint32_t node = 0;
  std::uint32_t client = 0;
  friend auto operator<=>(const MemberId&, const MemberId&) = default;
};

struct Joined {
  MemberId id;
  bool with_node = false;  ///< Its node's view and ours became one: it may have a state.
};

/// An operation is known by its origin, drawn by each replica for its life, and its number there.
struct Operation {
  std::uint64_t origin = 0;
  std::uint64_t number = 0;
  std::span<const std::byte> bytes;
  bool own = false;
};

/// What became of an operation that this replica submitted.
enum class Outcome : std::uint8_t {
  Done,        ///< apply() took it here, and its view allows to say so.
  NotQuorate,  ///< Refused: writing asks for quorum.
  Full,        ///< Refused: a side without quorum has no room for more to merge.
  InDoubt,     ///< Done somewhere, or about to be: by whom, and with which result, is not known.
};

/// Why a transfer, or a part in one, failed. Travels; numbers never change.
enum class Fault : std::uint8_t {
  None = 0,
  Snapshot = 1,  ///< The giver's snapshot callback failed.
  TooLarge = 2,  ///< The snapshot is over the limit of its giver or its taker.
  Version = 3,   ///< Written by a version that the taker does not read.
  Corrupt = 4,   ///< Bytes are missing or not those that were sent.
  Restore = 5,   ///< The taker's restore callback failed.
  Silent = 6,    ///< Nothing was heard in time.
  Memory = 7,    ///< No memory for it.
};

/// What the owner may want to know.
enum class Event : std::uint8_t {
  Live,         ///< The state is the agreed one, and writing is possible.
  Behind,       ///< It is not: joining, cut off, or overtaken by another side. Reads are stale.
  NoQuorum,     ///< There is no state yet, and founding one asks for quorum.
  GiverFailed,  ///< `fault`; another giver follows.
  Merging,      ///< Another side was met; this one goes on.
  Merged,       ///< `count` operations of another side were taken in.
  Lost,         ///< Operations of another side could not be: its history did not reach back.
  MergeFailed,  ///< The merge callback refused an operation of another side.
};

struct Notice {
  Event event = Event::Live;
  Fault fault = Fault::None;
  MemberId who;             ///< Whom it is about, with GiverFailed, Merged and Lost.
  std::uint64_t count = 0;  ///< Of operations.
};

/// What the owner does for the replica. Plain functions: the client library has no C++ runtime.
struct Host {
  void* context = nullptr;
  /// Sends to the group, in order and safe; false: no room now, pump() is called again later.
  bool (*send)(void*, const iovec* parts, std::size_t count) = nullptr;
  /// Writes the whole state. False: failed.
  bool (*snapshot)(void*, Buffer& out) = nullptr;
  /// Replaces the whole state; with `initial`, by the one of a replica that was just made.
  bool (*restore)(void*, std::span<const std::byte> in, std::uint32_t version,
                  bool initial) = nullptr;
  /// 0: done. Anything else: refused with that, and the state is as before.
  std::int64_t (*apply)(void*, const Operation& operation) = nullptr;
  /// Takes in what another side has done. False: refused. May be NULL: nothing is taken in.
  bool (*merge)(void*, const Operation& operation) = nullptr;
  void (*answer)(void*, std::uint64_t ticket, Outcome outcome, std::int64_t result) = nullptr;
  void (*notice)(void*, const Notice& notice) = nullptr;
};

struct Options {
  std::uint64_t origin = 0;       ///< Random, not 0, new for each replica object.
  std::uint32_t version = 0;      ///< Of what snapshot() writes.
  std::uint32_t version_min = 0;  ///< The oldest that restore() reads; it reads none above version.
  bool write_quorum = false;
  std::size_t message_bytes_max = 1 << 20;
  std::size_t batch_bytes_max = 16 << 10;
  std::size_t chunk_bytes_max = 32 << 10;
  std::size_t chunks_in_flight_bytes_max = 512 << 10;
  std::size_t pending_bytes_max = 256 << 10;
  std::size_t history_bytes_max = 4 << 20;
  std::size_t snapshot_bytes_max = 1 << 30;
  std::size_t origins_max = 1024;
  TimeNs meeting_time = 500'000'000;     ///< Longest wait for who does not speak.
  TimeNs transfer_time = 1'000'000'000;  ///< Longest silence in a transfer.
  TimeNs retry_time = 1'000'000'000;     ///< Before the first giver is asked again.
};

/// Counters, for reports and tests.
struct Counters {
  std::uint64_t applied = 0;
  std::uint64_t refused = 0;
  std::uint64_t merged = 0;
  std::uint64_t merge_failures = 0;
  std::uint64_t lost_sides = 0;  ///< Whose history did not reach back.
  std::uint64_t meetings = 0;
  std::uint64_t given = 0;  ///< Snapshots that were sent to the end.
  std::uint64_t taken = 0;  ///< Snapshots that were restored.
  std::uint64_t transfer_faults = 0;
  std::uint64_t rejected = 0;  ///< Messages that make no sense, or come from strangers.
};

}  // namespace phalanx::replica

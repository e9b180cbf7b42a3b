#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dataplane/core/core.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "transport/transport.h"

namespace phalanx::worker {

/// The memory of a worker's lanes that a transport may send payloads from as they lie: each lane's
/// log and its submit stream. Only the worker writes there, no client, and nothing is encrypted.
///
/// An adapter reads a payload some time after its checksum was taken, and the worker waits for none
/// of them before it writes there again. Why nobody takes what is sent then for what was meant:
/// - Within a view, bytes of a log are written over when they are stable, those of a stream when
///   they are ordered: every receiver holds them, and no receiver uses bytes that it holds.
/// - An install moves records in the log, and the new view writes where the old one ended. By then
///   the new view's members are frozen: of the old view they take recovery's frames alone, and hold
///   all that this view's plan has of them.
/// - Who stays in the old view, left out or on the way to another new one, takes what it lacks,
/// late
///   as it comes. If it was changed, its tag is wrong, as that of a frame damaged on the wire. That
///   frames of one queue leave in their order makes this rare: before an install, answers to the
///   freeze were sent behind them. Nothing relies on it.
/// - A frame that is dropped for its tag although a part of it was still needed is loss, and asked
///   for again.
class GatherMemory {
 public:
  /// Shorter payloads are copied: that costs less than two more pieces for the adapter to read.
  static constexpr std::size_t kPayloadBytesMin = 512;

  GatherMemory(const core::LaneShare& share, std::span<const core::LaneMemory> lanes);

  /// Once, at start. False: the transport copies; this is of no use then.
  [[nodiscard]] Expected<bool, Error> lend_to(transport::Transport& transport) const;

  /// A payload worth gathering. One that runs over the end of its ring is not: it lies in the
  /// ring's second mapping, which is not lent, as every page would count twice.
  [[nodiscard]] bool has(const core::TxItem& item) const noexcept {
    if (item.payload.size() < kPayloadBytesMin) return false;
    const Rings& rings = rings_[item.lane];
    return lies_in(item.payload, rings.log) || lies_in(item.payload, rings.stream);
  }

 private:
  using Bytes = std::span<const std::byte>;
  struct Rings {
    Bytes log;
    Bytes stream;
  };
  static bool lies_in(Bytes payload, Bytes ring) noexcept {
    return payload.data() >= ring.data() &&
           payload.data() + payload.size() <= ring.data() + ring.size();
  }

  std::vector<Rings> rings_;  ///< By lane; empty ones of others' lanes.
};

}  // namespace phalanx::worker

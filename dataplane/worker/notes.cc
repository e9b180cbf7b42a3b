#include "dataplane/worker/notes.h"

namespace phalanx::worker {
namespace {

using recorder::Kind;
using shm::Counter;

constexpr TimeNs kProgressInterval = 10 * kMillisecond;

}  // namespace

void Notes::take(const shm::WorkerStatus& status, TimeNs now) noexcept {
  for (LaneId id = share_.first; id < share_.lanes; id += share_.step)
    look_at_lane(id, status.lane[id], now);
  const std::uint64_t overflow = grown(Counter::WireOverflow);
  const std::uint64_t refused = grown(Counter::WireRefused);
  const std::uint64_t unsent = grown(Counter::WireTxRefused);
  if (overflow + refused + unsent > 0) {
    recorder_.note(Kind::WireLoss,
                   {.view = status.view.sequence, .a = overflow, .b = refused, .c = unsent});
  }
  if (const std::uint64_t times = grown(Counter::SubmissionsRefused); times > 0) {
    recorder_.note(Kind::SubmitRefused, {.view = status.view.sequence, .a = times});
  }
  recorder_.keep_time();
}

void Notes::look_at_lane(LaneId id, const shm::LaneStatus& status, TimeNs now) noexcept {
  Lane& before = lane_[id];
  const std::uint64_t view = status.view_sequence;
  if (view != before.view) before = {.view = view, .noted_at = now};
  if (status.orderer != before.orderer) {
    recorder_.note(Kind::Orderer, {.lane = id, .node = status.orderer, .view = view});
    before.orderer = status.orderer;
  }
  const bool barrier = core_.lane_status(id).barrier;
  if (barrier && !before.barrier) {
    recorder_.note(Kind::BarrierDone, {.lane = id, .view = view, .a = status.received});
  }
  before.barrier = barrier;
  if (status.received == before.received || now - before.noted_at < kProgressInterval) return;
  recorder_.note(Kind::Progress, {.lane = id,
                                  .node = status.orderer,
                                  .view = view,
                                  .a = before.received,
                                  .b = status.received,
                                  .c = status.delivered});
  before.received = status.received;
  before.noted_at = now;
}

std::uint64_t Notes::grown(Counter counter) noexcept {
  std::uint64_t& before = counted_[static_cast<std::size_t>(counter)];
  const std::uint64_t now = control_.counted(counter);
  const std::uint64_t by = now - before;
  before = now;
  return by;
}

}  // namespace phalanx::worker

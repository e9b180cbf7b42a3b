#include "transport/verbs/send_queue.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <utility>

#include "ipc/base/assert.h"

namespace phalanx::transport::verbs {
namespace {

constexpr std::uint32_t kMulticastQueuePair = 0xffffff;
/// A queue that never has room again holds sends that nothing reports.
constexpr std::uint32_t kRefusalsMost = 256;
constexpr std::uint32_t kShared = 0xffffffff;

}  // namespace

SendQueue::SendQueue(QueuePair& pair, std::uint32_t qkey, const Buffers& buffers, LentMemory& lent,
                     std::uint32_t copies, std::uint32_t ring, Trouble& trouble)
    : pair_(pair),
      qkey_(qkey),
      buffers_(buffers),
      lent_(lent),
      trouble_(trouble),
      copies_(copies),
      ring_(ring),
      sent_(std::bit_ceil(ring)),
      mask_(sent_.size() - 1) {
  free_.reserve(buffers.depth);
  for (std::uint32_t slot = 0; slot < buffers.depth; ++slot) free_.push_back(slot);
}

/// Frees what is known to have left. Sends complete in order, so one report speaks for all before.
void SendQueue::reclaim(TransportCounters& counters) noexcept {
  std::array<ibv_wc, kBurst> done;
  int polled = 0;
  while ((polled = calls::poll_cq(pair_.sends, kBurst, done.data())) > 0) {
    for (const ibv_wc& one : std::span(done).first(static_cast<std::size_t>(polled))) {
      if (one.status != IBV_WC_SUCCESS) [[unlikely]] {
        ++counters.tx_refused;
        if (!std::exchange(broken_, true)) trouble_.completed("send", one);
      }
      if (one.wr_id <= posted_) reported_ = std::max(reported_, one.wr_id);
    }
    if (polled < static_cast<int>(kBurst)) break;
  }
  if (polled < 0 && !std::exchange(broken_, true)) [[unlikely]]
    trouble_.refused("ibv_poll_cq of sends", -polled);
  for (; completed_ < reported_; ++completed_) {
    const std::uint32_t slot = slot_after(completed_);
    if (slot != kShared) free_.push_back(slot);
  }
}

std::size_t SendQueue::lend(std::span<TxFrame> out, TransportCounters& counters) noexcept {
  reclaim(counters);
  // Never more than the queue has room for, all copies counted.
  const std::size_t room = ring_ - (posted_ - completed_);
  const std::size_t frames = copies_ == 1 ? room : room / copies_;
  const std::size_t count = std::min({out.size(), free_.size(), kBurst, frames});
  const Buffers buffers = buffers_;  // Locals: what is written to `out` might be members.
  const std::uint32_t* top = free_.data() + free_.size();
  for (TxFrame& frame : out.first(count)) {
    const std::uint32_t slot = *--top;
    frame.bytes = {buffers.memory + slot * buffers.stride, buffers.frame_bytes};
    frame.length = 0;
    frame.to = {};
    frame.spread = Spread::Used;
    frame.gathered_at = 0;  // Which is enough: what `gathered` was is not looked at.
    frame.cookie = reinterpret_cast<void*>(static_cast<std::uintptr_t>(slot));
  }
  return count;
}

/// Never within the request: that would be the copy again. No piece is empty: to some adapters that
/// means 2 GiB.
[[gnu::always_inline]] inline void SendQueue::gather(const ibv_sge& whole, const TxFrame& frame,
                                                     std::array<ibv_sge, kPieces>& out,
                                                     ibv_send_wr& request) noexcept {
  if (!lent_.is_found(frame.gathered)) [[unlikely]]
    lent_.find(frame.gathered);
  const auto before = frame.gathered_at;
  const auto length = static_cast<std::uint32_t>(frame.gathered.size());
  PHX_CHECK(length > 0 && before + frame.gathered.size() < frame.length);
  out[0] = {.addr = whole.addr, .length = before, .lkey = buffers_.key};
  out[1] = {.addr = reinterpret_cast<std::uintptr_t>(frame.gathered.data()),
            .length = length,
            .lkey = lent_.key()};
  out[2] = {
      .addr = whole.addr + before, .length = whole.length - length - before, .lkey = buffers_.key};
  request.sg_list = out.data();
  request.num_sge = kPieces;
  request.send_flags = 0;
  ++gathered_;
}

[[gnu::always_inline]] inline void SendQueue::add(Batch& batch, std::uint32_t slot,
                                                  const TxFrame& frame, ibv_ah* handle,
                                                  std::uint32_t queue_pair) noexcept {
  const std::size_t at = batch.count;
  const auto length = static_cast<std::uint32_t>(frame.length);
  batch.pieces[at] = {
      .addr = reinterpret_cast<std::uintptr_t>(buffers_.memory + slot * buffers_.stride),
      .length = length,
      .lkey = buffers_.key};
  ibv_send_wr& request = batch.requests[at];
  // Only what a UD send reads: the whole of it is twice as long.
  request.wr_id = posted_ + at + 1;
  request.next = nullptr;
  request.sg_list = &batch.pieces[at];
  request.num_sge = 1;
  request.opcode = IBV_WR_SEND;
  request.send_flags = length <= pair_.inline_bytes ? IBV_SEND_INLINE : 0;
  request.wr.ud = {.ah = handle, .remote_qpn = queue_pair, .remote_qkey = qkey_};
  slot_after(posted_ + at) = slot;
  if (at > 0) batch.requests[at - 1].next = &request;
  batch.bytes += length;
  ++batch.count;
  if (frame.gathered_at != 0) [[unlikely]]
    gather(batch.pieces[at], frame, batch.gathers[at], request);
}

/// One doorbell and one report for the whole, or for each kBurst copies. lend() gave kBurst at
/// most.
void SendQueue::send(std::span<const TxFrame> frames, const Peers& peers, bool open,
                     TransportCounters& counters) noexcept {
  Batch batch;
  std::array<std::uint32_t, kBurst> unsent;
  std::size_t unsent_count = 0;
  free_.resize(free_.size() - frames.size());
  for (const TxFrame& frame : frames) {
    const auto slot = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(frame.cookie));
    std::size_t sent = 0;
    // A payload above the path's MTU would complete with success, and vanish.
    if (frame.length > buffers_.frame_bytes || !open || broken_) [[unlikely]] {
      ++counters.tx_refused;
    } else if (frame.to.kind == Destination::Kind::Peer) {
      const Peer* peer = peers.find(frame.to.peer);
      if (peer != nullptr && peer->handle != nullptr) [[likely]] {
        if (batch.count == kBurst) flush(batch, counters);
        add(batch, slot, frame, peer->handle, peer->at.queue_pair);
        ++sent;
      } else {
        ++counters.tx_refused;
      }
    } else if (pair_.group != nullptr) {
      add(batch, slot, frame, pair_.group, kMulticastQueuePair);
      ++sent;
    } else {
      sent = add_copies(batch, slot, frame, peers, counters);
    }
    if (sent == 0) unsent[unsent_count++] = slot;
  }
  for (const std::uint32_t slot : std::span(unsent).first(unsent_count)) free_.push_back(slot);
  flush(batch, counters);
}

/// Who was never heard of gets none, and nobody counts that: a node that is down is no loss.
std::size_t SendQueue::add_copies(Batch& batch, std::uint32_t slot, const TxFrame& frame,
                                  const Peers& peers, TransportCounters& counters) noexcept {
  const bool everyone = frame.to.kind == Destination::Kind::Everyone;
  std::size_t sent = 0;
  for (const Peer& peer : peers.all()) {
    if (peer.handle == nullptr || (!everyone && !peer.member)) continue;
    if (sent > 0) slot_after(posted_ + batch.count - 1) = kShared;
    if (batch.count == kBurst) flush(batch, counters);
    add(batch, slot, frame, peer.handle, peer.at.queue_pair);
    ++sent;
  }
  return sent;
}

void SendQueue::flush(Batch& batch, TransportCounters& counters) noexcept {
  const std::size_t count = std::exchange(batch.count, 0);
  std::size_t bytes = std::exchange(batch.bytes, 0);
  if (count == 0) return;
  batch.requests[count - 1].send_flags |= IBV_SEND_SIGNALED;
  const std::size_t taken = post(batch.requests.data(), count);
  for (std::size_t i = taken; i < count; ++i) {
    bytes -= batch.pieces[i].length;
    if (batch.requests[i].num_sge > 1) --gathered_;
  }
  counters.tx_refused += count - taken;
  counters.tx_bytes += bytes;
  counters.tx_frames += taken;
  if (taken < count) [[unlikely]]
    give_back(taken, count);
  posted_ += taken;
}

/// Frees the slots of what was not taken. One whose first copies were belongs to the last of these.
void SendQueue::give_back(std::size_t taken, std::size_t count) noexcept {
  const std::uint64_t first = posted_ + taken;
  bool split = first > completed_ && slot_after(first - 1) == kShared;
  for (std::size_t i = taken; i < count; ++i) {
    const std::uint32_t slot = slot_after(posted_ + i);
    if (slot == kShared) continue;
    if (std::exchange(split, false)) {
      slot_after(first - 1) = slot;
    } else {
      free_.push_back(slot);
    }
  }
}

/// What was taken of a burst that failed has nothing behind it that would report it: it is freed
/// by the next burst's report, or by the rebuilding.
std::size_t SendQueue::post(ibv_send_wr* first, std::size_t count) noexcept {
  ibv_send_wr* bad = nullptr;
  const int error = calls::post_send(pair_.qp, first, &bad);
  if (error == 0) [[likely]] {
    refusals_ = 0;
    return count;
  }
  // No room is loss like any other.
  if ((error != ENOMEM || ++refusals_ > kRefusalsMost) && !std::exchange(broken_, true)) {
    trouble_.refused("ibv_post_send", error);
  }
  return bad == nullptr ? 0 : static_cast<std::size_t>(bad - first);
}

void SendQueue::forget() noexcept {
  reported_ = posted_;  // Freed by lend(): frames may be lent now.
  refusals_ = 0;
  broken_ = false;
}

}  // namespace phalanx::transport::verbs

#include "transport/verbs/send_queue.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace phalanx::transport::verbs {
namespace {

constexpr std::uint32_t kMulticastQueuePair = 0xffffff;
/// A queue that never has room again holds sends that nothing reports.
constexpr std::uint32_t kRefusalsMost = 256;

}  // namespace

SendQueue::SendQueue(QueuePair& pair, std::uint32_t qkey, const Buffers& buffers)
    : pair_(pair), qkey_(qkey), buffers_(buffers), sent_(buffers.depth) {
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
        broken_ = true;
      }
      if (one.wr_id <= posted_) reported_ = std::max(reported_, one.wr_id);
    }
    if (polled < static_cast<int>(kBurst)) break;
  }
  if (polled < 0) [[unlikely]]
    broken_ = true;
  for (; completed_ < reported_; ++completed_) {
    free_.push_back(sent_[completed_ % buffers_.depth]);
  }
}

std::size_t SendQueue::lend(std::span<TxFrame> out, TransportCounters& counters) noexcept {
  reclaim(counters);
  const std::size_t count = std::min({out.size(), free_.size(), kBurst});
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t slot = free_[free_.size() - 1 - i];
    out[i] = {.bytes = {buffers_.memory + slot * buffers_.stride, buffers_.frame_bytes},
              .cookie = reinterpret_cast<void*>(static_cast<std::uintptr_t>(slot))};
  }
  return count;
}

/// One doorbell, and one report for the last. lend() gave kBurst at most.
void SendQueue::send(std::span<const TxFrame> frames, const Peers& peers, bool open,
                     TransportCounters& counters) noexcept {
  std::array<ibv_send_wr, kBurst> requests;
  std::array<ibv_sge, kBurst> pieces;
  std::size_t count = 0;
  std::array<std::uint32_t, kBurst> unsent;
  std::size_t unsent_count = 0;
  std::size_t bytes = 0;
  free_.resize(free_.size() - frames.size());
  for (const TxFrame& frame : frames) {
    const auto slot = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(frame.cookie));
    const bool unicast = frame.to.kind == Destination::Kind::Peer;
    const Peer* peer = unicast ? peers.find(frame.to.peer) : nullptr;
    ibv_ah* handle = unicast ? (peer != nullptr ? peer->handle : nullptr) : pair_.group;
    // A payload above the path's MTU would complete with success, and vanish.
    if (handle == nullptr || frame.length > buffers_.frame_bytes || !open || broken_) [[unlikely]] {
      ++counters.tx_refused;
      unsent[unsent_count++] = slot;
      continue;
    }
    const auto length = static_cast<std::uint32_t>(frame.length);
    pieces[count] = {
        .addr = reinterpret_cast<std::uintptr_t>(buffers_.memory + slot * buffers_.stride),
        .length = length,
        .lkey = buffers_.key};
    ibv_send_wr& request = requests[count];
    // Only what a UD send reads: the whole of it is twice as long.
    request.wr_id = posted_ + count + 1;
    request.next = nullptr;
    request.sg_list = &pieces[count];
    request.num_sge = 1;
    request.opcode = IBV_WR_SEND;
    request.send_flags = length <= pair_.inline_bytes ? IBV_SEND_INLINE : 0;
    request.wr.ud = {.ah = handle,
                     .remote_qpn = unicast ? peer->at.queue_pair : kMulticastQueuePair,
                     .remote_qkey = qkey_};
    sent_[(posted_ + count) % buffers_.depth] = slot;
    if (count > 0) requests[count - 1].next = &request;
    bytes += length;
    ++count;
  }
  for (const std::uint32_t slot : std::span(unsent).first(unsent_count)) free_.push_back(slot);
  if (count == 0) return;
  requests[count - 1].send_flags |= IBV_SEND_SIGNALED;
  const std::size_t taken = post(requests.data(), count);
  for (std::size_t i = taken; i < count; ++i) {
    free_.push_back(sent_[(posted_ + i) % buffers_.depth]);
    bytes -= pieces[i].length;
  }
  counters.tx_refused += count - taken;
  counters.tx_bytes += bytes;
  counters.tx_frames += taken;
  posted_ += taken;
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
  if (error != ENOMEM || ++refusals_ > kRefusalsMost) broken_ = true;
  return bad == nullptr ? 0 : static_cast<std::size_t>(bad - first);
}

void SendQueue::forget() noexcept {
  reported_ = posted_;  // Freed by lend(): frames may be lent now.
  refusals_ = 0;
  broken_ = false;
}

}  // namespace phalanx::transport::verbs

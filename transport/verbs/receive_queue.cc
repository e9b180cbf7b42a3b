#include "transport/verbs/receive_queue.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace phalanx::transport::verbs {

ReceiveQueue::ReceiveQueue(QueuePair& pair, const Device& device, const Buffers& buffers,
                           Trouble& trouble)
    : pair_(pair),
      own_(device.gid.gid),
      ipv4_(is_ipv4(device.gid.gid)),
      lid_mask_(device.is_infiniband() ? 0xffff : 0),
      buffers_(buffers),
      trouble_(trouble),
      sources_(buffers.depth),
      lent_(buffers.depth) {
  unposted_.reserve(buffers.depth);
}

void ReceiveQueue::post_all() noexcept {
  broken_ = false;
  unposted_.clear();
  ahead_.reset();
  std::array<std::uint32_t, kBurst> slots;
  std::size_t count = 0;
  for (std::uint32_t slot = 0; slot < buffers_.depth; ++slot) {
    if (lent_[slot] != 0) continue;
    slots[count++] = slot;
    if (count == slots.size()) post({slots.data(), std::exchange(count, 0)});
  }
  post({slots.data(), count});
}

void ReceiveQueue::post(std::span<const std::uint32_t> slots) noexcept {
  if (slots.empty() || broken_) return;
  std::array<ibv_recv_wr, kBurst> requests;
  std::array<ibv_sge, kBurst> pieces;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    pieces[i] = {.addr = reinterpret_cast<std::uintptr_t>(at(slots[i])),
                 .length = static_cast<std::uint32_t>(kGrhBytes) + buffers_.frame_bytes,
                 .lkey = buffers_.key};
    requests[i] = {.wr_id = slots[i],
                   .next = i + 1 < slots.size() ? &requests[i + 1] : nullptr,
                   .sg_list = &pieces[i],
                   .num_sge = 1};
  }
  ibv_recv_wr* bad = nullptr;
  const int error = calls::post_recv(pair_.qp, requests.data(), &bad);
  if (error == 0) [[likely]]
    return;
  // No room is a matter of time; anything else is mended with the queue pair.
  if (error != ENOMEM || bad == nullptr) return break_by("ibv_post_recv", error);
  const auto taken = static_cast<std::size_t>(bad - requests.data());
  for (const std::uint32_t slot : slots.subspan(taken)) unposted_.push_back(slot);
}

void ReceiveQueue::break_by(const char* what, int error) noexcept {
  if (!std::exchange(broken_, true)) trouble_.refused(what, error);
}

void ReceiveQueue::post_again() noexcept {
  std::array<std::uint32_t, kBurst> slots;
  const std::size_t count = std::min(unposted_.size(), slots.size());
  std::copy_n(unposted_.end() - static_cast<std::ptrdiff_t>(count), count, slots.begin());
  unposted_.resize(unposted_.size() - count);
  post({slots.data(), count});
}

int ReceiveQueue::take(std::span<ibv_wc> out) noexcept {
  if (!ahead_) [[likely]]
    return calls::poll_cq(pair_.receives, static_cast<int>(out.size()), out.data());
  out[0] = *ahead_;
  ahead_.reset();
  return 1;
}

bool ReceiveQueue::look_ahead() noexcept {
  if (ahead_) return true;
  ibv_wc one{};
  if (calls::poll_cq(pair_.receives, 1, &one) <= 0) return false;
  ahead_ = one;
  return true;
}

std::size_t ReceiveQueue::poll(std::span<RxFrame> out, TransportCounters& counters) noexcept {
  if (!unposted_.empty()) [[unlikely]]
    post_again();
  std::array<ibv_wc, kBurst> done;
  std::array<std::uint32_t, kBurst> again;
  std::size_t count = 0;
  std::size_t left = out.size() + kDroppedMost;
  while (count < out.size() && left > 0) {
    const std::size_t room = std::min({out.size() - count, done.size(), left});
    const bool was_ahead = ahead_.has_value();
    const int polled = take(std::span(done).first(room));
    if (polled <= 0) {
      if (polled < 0) break_by("ibv_poll_cq of receives", -polled);
      break;
    }
    const auto got = static_cast<std::size_t>(polled);
    left -= got;
    std::size_t refused = 0;
    for (const ibv_wc& one : std::span(done).first(got)) {
      if (accept(one, out[count], counters)) {
        ++count;
      } else if (one.wr_id < buffers_.depth) {
        ++counters.rx_refused;
        again[refused++] = static_cast<std::uint32_t>(one.wr_id);
      }
    }
    post({again.data(), refused});
    if (got < room && !was_ahead) break;
  }
  counters.rx_frames += count;
  return count;
}

/// A receive that fails has put the queue pair into the error state: a flush says so of each of the
/// others, whatever the first cause was.
bool ReceiveQueue::accept(const ibv_wc& done, RxFrame& out, TransportCounters& counters) noexcept {
  if (done.status != IBV_WC_SUCCESS) [[unlikely]] {
    if (!std::exchange(broken_, true)) trouble_.completed("receive", done);
    return false;
  }
  const auto slot = static_cast<std::uint32_t>(done.wr_id);
  const std::byte* begin = at(slot);
  const std::size_t bytes = done.byte_len;
  if ((done.wc_flags & IBV_WC_GRH) == 0 || bytes < kGrhBytes ||
      bytes > kGrhBytes + buffers_.frame_bytes) [[unlikely]] {
    return false;
  }
  const ibv_gid from = verbs::source_of(begin, ipv4_);
  // The group gives us our own back. Another node's queue pair may have the same number.
  if (done.src_qp == pair_.qp->qp_num && same(from, own_)) return false;
  Source& source = sources_[slot];
  source.gid = from;
  source.queue_pair = done.src_qp;
  source.lid = done.slid & lid_mask_;
  lent_[slot] = 1;
  out = {.bytes = {begin + kGrhBytes, bytes - kGrhBytes},
         .cookie = reinterpret_cast<void*>(static_cast<std::uintptr_t>(slot))};
  counters.rx_bytes += bytes - kGrhBytes;
  return true;
}

void ReceiveQueue::release(std::span<const RxFrame> frames) noexcept {
  std::array<std::uint32_t, kBurst> slots;
  std::size_t count = 0;
  for (const RxFrame& frame : frames) {
    const std::uint32_t slot = slot_of(frame);
    lent_[slot] = 0;
    slots[count++] = slot;
    if (count == slots.size()) post({slots.data(), std::exchange(count, 0)});
  }
  post({slots.data(), count});
}

}  // namespace phalanx::transport::verbs

#include "transport/dpdk/handover.h"

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <sys/eventfd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <string>

#include "ipc/base/assert.h"
#include "ipc/base/ids.h"

namespace phalanx::transport::dpdk {
namespace {

/// For its consumer. rte_ring_empty() reads what the producer writes as if nobody did.
bool is_empty(const rte_ring& ring) noexcept {
  return __atomic_load_n(&ring.prod.tail, __ATOMIC_RELAXED) == ring.cons.tail;
}

}  // namespace

Expected<std::unique_ptr<Handover>, Error> Handover::create(std::size_t workers,
                                                            std::uint32_t frames) {
  static std::atomic<unsigned> number{0};  // Rings have names, and a process may have two ports.
  PHX_CHECK(workers <= kLanesMax);
  std::unique_ptr<Handover> made(new Handover(workers));
  const std::string name = "phalanx-hand-" + std::to_string(number++);
  for (std::size_t i = 0; i < made->rings_.size(); ++i) {
    if (i % workers == i / workers) continue;
    rte_ring* ring =
        rte_ring_create((name + "-" + std::to_string(i)).c_str(), frames, SOCKET_ID_ANY,
                        RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    if (ring == nullptr) {
      return fail(Error{.code = ExitCode::Usage,
                        .attempted = "cannot make rings for " + std::to_string(workers) +
                                     " workers of one port in DPDK's memory",
                        .observed = rte_strerror(rte_errno),
                        .remedy = "give DPDK more memory, or set a lower worker.count"});
    }
    made->rings_[i] = ring;
  }
  for (Seat& seat : made->seats_) {
    seat.doorbell.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!seat.doorbell) return fail(system_error("cannot make a doorbell", "eventfd", errno));
  }
  return made;
}

Handover::~Handover() {
  for (rte_ring* ring : rings_) {
    if (ring == nullptr) continue;
    for (void* frame = nullptr; rte_ring_sc_dequeue(ring, &frame) == 0;) {
      rte_pktmbuf_free(static_cast<rte_mbuf*>(frame));
    }
    rte_ring_free(ring);
  }
}

bool Handover::give(std::size_t from, std::size_t to, rte_mbuf* frame) noexcept {
  if (rte_ring_sp_enqueue(ring(from, to), frame) != 0) return false;
  seats_[from].given |= std::uint64_t{1} << to;
  return true;
}

void Handover::wake(std::size_t from) noexcept {
  std::uint64_t& given = seats_[from].given;
  if (given == 0) return;
  // Against arm(): one of the two sees what the other wrote.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (; given != 0; given &= given - 1) {
    Seat& to = seats_[static_cast<std::size_t>(std::countr_zero(given))];
    if (to.sleeps.load(std::memory_order_relaxed) &&
        to.sleeps.exchange(false, std::memory_order_relaxed)) {
      eventfd_write(to.doorbell.get(), 1);
    }
  }
}

std::size_t Handover::take(std::size_t to, std::span<rte_mbuf*> out) noexcept {
  Seat& seat = seats_[to];
  if (seat.sleeps.load(std::memory_order_relaxed)) {
    seat.sleeps.store(false, std::memory_order_relaxed);
  }
  std::size_t count = 0;
  const std::size_t workers = seats_.size();
  for (std::size_t i = 0; i < workers && count < out.size(); ++i) {
    const std::size_t from = seat.next + i < workers ? seat.next + i : seat.next + i - workers;
    if (from == to) continue;
    count += rte_ring_sc_dequeue_burst(ring(from, to), reinterpret_cast<void**>(out.data() + count),
                                       static_cast<unsigned>(out.size() - count), nullptr);
  }
  seat.next = seat.next + 1 < workers ? seat.next + 1 : 0;
  return count;
}

bool Handover::arm(std::size_t to) noexcept {
  Seat& seat = seats_[to];
  eventfd_t rung = 0;
  (void)eventfd_read(seat.doorbell.get(), &rung);
  seat.sleeps.store(true, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (std::size_t from = 0; from < seats_.size(); ++from) {
    if (from != to && !is_empty(*ring(from, to))) return false;
  }
  return true;
}

}  // namespace phalanx::transport::dpdk

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"

struct rte_mbuf;
struct rte_ring;

namespace phalanx::transport::dpdk {

/// Frames on their way from the worker whose queue the port put them into to the one they are for,
/// on ports that cannot be told which queue that is. Each pair of workers has a ring: nobody waits
/// for another, and who does not read loses frames of his own only. Workers are numbered from 0;
/// calls that name one are made by its thread.
class Handover {
 public:
  /// `frames`: so many find room in each ring. EAL must run.
  [[nodiscard]] static Expected<std::unique_ptr<Handover>, Error> create(std::size_t workers,
                                                                         std::uint32_t frames);
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;
  ~Handover();

  /// False: `to` has not read for long. Its frame is then still the caller's.
  [[nodiscard]] bool give(std::size_t from, std::size_t to, rte_mbuf* frame) noexcept;
  /// After some give(): whoever sleeps and was given something is woken, by one system call.
  void wake(std::size_t from) noexcept;
  /// What `to` was given; 0: nothing waits.
  std::size_t take(std::size_t to, std::span<rte_mbuf*> out) noexcept;

  /// Readable when `to` armed itself and was given something since.
  [[nodiscard]] int doorbell(std::size_t to) const noexcept { return seats_[to].doorbell.get(); }
  /// Before `to` sleeps on its doorbell. False: something waits already.
  [[nodiscard]] bool arm(std::size_t to) noexcept;

 private:
  struct alignas(64) Seat {
    std::atomic<bool> sleeps{false};
    Fd doorbell;
    std::size_t next = 0;     ///< Whose frames are taken first: none may starve the others.
    std::uint64_t given = 0;  ///< Bit W: worker W got something from this one since its wake().
  };

  explicit Handover(std::size_t workers) : seats_(workers), rings_(workers * workers) {}
  [[nodiscard]] rte_ring* ring(std::size_t from, std::size_t to) const noexcept {
    return rings_[to * seats_.size() + from];
  }

  std::vector<Seat> seats_;
  std::vector<rte_ring*> rings_;  ///< [to][from]; nullptr from a worker to itself.
};

}  // namespace phalanx::transport::dpdk

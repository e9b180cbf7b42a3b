#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ipc/shm/barrier.h"
#include "ipc/shm/bulk_ring.h"
#include "ipc/shm/channel_layout.h"
#include "ipc/shm/delivery_log_reader.h"

namespace phalanx::shm {

/// Mappings of submit rings that outlive their channel: somebody still writes to them.
struct SubmitMemory {
  std::byte* ring = nullptr;
  std::byte* bulk = nullptr;
  std::uint64_t ring_bytes = 0, bulk_bytes = 0;
  void unmap() noexcept;
};

/// The client's end of a channel: the mappings of what the worker's end created. Needs libc only.
/// One thread may send while another receives; open() and close() exclude both. The worker's words
/// are checked like a stranger's: a data plane gone mad breaks the channel, not the application.
class ClientChannel {
 public:
  ClientChannel() = default;
  ClientChannel(const ClientChannel&) = delete;
  ClientChannel& operator=(const ClientChannel&) = delete;
  ~ClientChannel() { close(); }

  /// Maps a channel. Takes the doorbell; the other descriptors stay with the caller and are not
  /// needed afterwards. `bulk_fd` is -1 when the geometry has no bulk rings, `log_fd` when it has
  /// no shared log. False leaves errno (EPROTO: not a channel of this version) and the object
  /// closed.
  [[nodiscard]] bool open(int memory_fd, int doorbell_fd, int bulk_fd,
                          const ChannelGeometry& geometry, int log_fd = -1) noexcept;
  void close() noexcept;
  /// As close(), but leaves the submit rings mapped, to be unmapped by the caller.
  [[nodiscard]] SubmitMemory close_but_keep_submit_memory() noexcept;
  /// In a child of fork(): forgets the mappings (they were not inherited) and closes the doorbell.
  void abandon_after_fork() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return page_ != nullptr; }
  [[nodiscard]] const ChannelGeometry& geometry() const noexcept { return geometry_; }

  // --- Sending ---

  [[nodiscard]] std::byte* reserve_submission(std::uint32_t body_bytes) noexcept {
    return submit_.reserve(body_bytes);
  }
  void commit_submission(SubmissionKind kind, std::uint8_t flags) noexcept {
    submit_.commit(static_cast<std::uint8_t>(kind), flags);
  }
  /// Room for the body of a record that is committed already: it is filled before the next
  /// publish_submissions(), and may have become shorter by then. nullptr: no room.
  [[nodiscard]] std::byte* append_submission(std::uint32_t body_bytes, SubmissionKind kind,
                                             std::uint8_t flags) noexcept {
    return submit_.append(body_bytes, static_cast<std::uint8_t>(kind), flags);
  }
  /// Makes a body that append_submission() gave `before` bytes for have `bytes`, at most so many.
  static void shorten_submission(std::byte* body, std::uint32_t before,
                                 std::uint32_t bytes) noexcept;
  /// This process is registered for barriers. Where the worker makes them, publishing takes a plain
  /// store from now on. After open().
  void trust_fences() noexcept {
    fenced_ = std::atomic_ref(page_->worker_fences).load(std::memory_order_relaxed) == 1;
  }
  [[nodiscard]] bool is_fenced() const noexcept { return fenced_; }
  /// Shows what was committed and wakes the worker if it sleeps.
  void publish_submissions() noexcept {
    submit_.publish(publish_order(fenced_));
    before_flag(fenced_);
    if (std::atomic_ref(page_->worker_sleeping).load(std::memory_order_seq_cst) != 0) [[unlikely]]
      ring_doorbell();
  }
  void refresh_room() noexcept { submit_.refresh(); }
  [[nodiscard]] std::uint64_t room_bytes() const noexcept { return submit_.free_bytes(); }

  // --- Receiving ---

  /// Of the client's own ring first: its first view of the node was written before what the log
  /// shows. (A refusal there may overtake events of the log: it concerns none of them.)
  [[nodiscard]] bool peek_event(BulkRecord& out) noexcept {
    if (delivery_.peek(out)) [[likely]]
      return true;
    if (!has_log_) [[likely]]
      return false;
    BulkRecord record;  // So that `out` may stay in registers.
    of_log_ = log_.peek(record);
    if (of_log_) out = record;
    return of_log_;
  }
  void pop_event() noexcept {
    if (of_log_) [[unlikely]] {
      log_.pop();
      of_log_ = false;
    } else {
      delivery_.pop();
    }
  }
  void release_events() noexcept {
    delivery_.release();
    if (has_log_) log_.release();
  }
  [[nodiscard]] bool release_is_due() const noexcept {
    return delivery_.release_is_due() || (has_log_ && log_.release_is_due());
  }
  /// True when an event waits. The log is looked at first, so that what the own ring had before is
  /// found.
  bool refresh_events(std::memory_order order = std::memory_order_acquire) noexcept {
    const bool in_log = has_log_ && log_.refresh(order);
    return delivery_.queued_bytes() != 0 || delivery_.refresh(order) || in_log;
  }
  /// Whether events come by the shared log.
  [[nodiscard]] bool reads_log() const noexcept { return has_log_; }
  /// Published and not released, whoever asks; for display.
  [[nodiscard]] std::uint64_t event_backlog_bytes() const noexcept {
    const std::uint64_t head =
        std::atomic_ref(page_->delivery.head.position).load(std::memory_order_acquire);
    const std::uint64_t tail =
        std::atomic_ref(page_->delivery.tail.position).load(std::memory_order_acquire);
    const std::uint64_t in_ring =
        tail - head <= geometry_.delivery_bytes ? tail - head : geometry_.delivery_bytes;
    return in_ring + log_.backlog_bytes();
  }
  [[nodiscard]] std::uint64_t queued_event_bytes() const noexcept {
    return delivery_.queued_bytes() + (has_log_ ? log_.queued_bytes() : 0);
  }

  // --- State and sleeping ---

  [[nodiscard]] ChannelState state() const noexcept {
    return static_cast<ChannelState>(std::atomic_ref(page_->state).load(std::memory_order_seq_cst));
  }
  /// Asks to be woken (kWaitsForEvent, kWaitsForRoom). Look once more before sleeping.
  void wait_for(std::uint32_t bit) noexcept {
    std::atomic_ref(page_->client_waits).fetch_or(bit, std::memory_order_seq_cst);
  }
  /// Takes the wish back. False: the worker has taken it before, so that a byte comes by the
  /// socket.
  bool wait_no_more(std::uint32_t bit) noexcept {
    return (std::atomic_ref(page_->client_waits).fetch_and(~bit, std::memory_order_acq_rel) &
            bit) != 0;
  }
  [[nodiscard]] bool broken() const noexcept {
    return submit_.broken() || delivery_.broken() || log_.broken();
  }

 private:
  void ring_doorbell() noexcept;

  ChannelPage* page_ = nullptr;
  std::byte* rings_[4] = {};
  int doorbell_ = -1;
  bool fenced_ = false;
  ChannelGeometry geometry_{};
  alignas(64) BulkProducer submit_;
  alignas(64) BulkConsumer delivery_;
  bool has_log_ = false;
  bool of_log_ = false;  ///< The event that was peeked.
  DeliveryLogReader log_;
};

}  // namespace phalanx::shm

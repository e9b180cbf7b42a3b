#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"
#include "ipc/shm/bulk_ring.h"
#include "ipc/shm/channel_layout.h"
#include "ipc/shm/event_producer.h"
#include "ipc/shm/mirrored_ring.h"

namespace phalanx::shm {

struct ChannelOptions {
  /// Raised to a power of two in [kChannelRingBytesMin, kChannelRingBytesMax].
  std::uint64_t submit_bytes = 1u << 20;
  std::uint64_t delivery_bytes = 1u << 20;  ///< Likewise.
  std::uint32_t message_bytes_max = 1u << 20;
  NodeId node = 0;
  ClientId client = 0;
  std::uint64_t log_bytes = 0;  ///< Of the shared log that this client reads; 0: it does not.
  bool fences = false;  ///< The worker has barrier_everywhere() follow set_worker_sleeping(true).
  /// For the rings; the bulk segment has plain pages, allocated as they are used. Only for clients
  /// that are trusted: a hole punched into huge pages raises SIGBUS here when no page is free.
};

/// What a client submitted. Kind, flags and group were read once; the payload lies in the client's
/// memory and may change at any time: copy it, then check the copy.
struct Submission {
  SubmissionKind kind = SubmissionKind::Multicast;
  std::uint8_t flags = 0;  ///< kSubmissionSafe.
  GroupId group = 0;       ///< But for Join and Open: hash the copied name yourself.
  std::span<const std::byte> payload;
};

/// The worker's end of a client channel; owns the channel's memory. Created by a cold thread, then
/// handed to the worker: one thread at a time. No call after create() blocks, allocates or enters
/// the kernel. A client that lied makes the channel broken() for ever: the caller detaches it.
class WorkerChannel {
 public:
  WorkerChannel() = default;
  WorkerChannel(WorkerChannel&&) noexcept = default;
  WorkerChannel& operator=(WorkerChannel&&) noexcept = default;

  [[nodiscard]] static Expected<WorkerChannel, Error> create(const ChannelOptions& options);

  // To be passed to the client. bulk_fd() is -1 when the geometry has no bulk rings.
  [[nodiscard]] int memory_fd() const noexcept { return memory_fd_.get(); }
  [[nodiscard]] int bulk_fd() const noexcept { return bulk_fd_.get(); }
  /// Once they were passed: the mappings stay, and a process has few descriptors.
  void close_memory() noexcept {
    memory_fd_.reset();
    bulk_fd_.reset();
  }
  /// An eventfd of this channel alone, written by the client when worker_sleeping was set. Watch it
  /// edge-triggered (EPOLLIN | EPOLLET) and never read it: the client shares its flags, so that a
  /// read could block.
  [[nodiscard]] int doorbell_fd() const noexcept { return doorbell_fd_.get(); }
  [[nodiscard]] const ChannelGeometry& geometry() const noexcept { return geometry_; }

  // --- Submissions ---

  /// The next submission, or false. Malformed headers make the channel broken(). Peek once and keep
  /// the result while a long payload is copied over several turns: a second peek reads the header
  /// anew.
  [[nodiscard]] bool peek_submission(Submission& out) noexcept;
  /// Steps over the submission of the last peek. Its bytes stay until release_submissions().
  void pop_submission() noexcept { submit_.pop(); }
  /// Gives popped space back: once a burst. True: wake the client (it waits for room).
  [[nodiscard]] bool release_submissions() noexcept;

  // --- Events ---

  /// Room for an event's body, or nullptr when the ring is full. May be filled over several turns
  /// (64 KiB each); the room stays until commit_event() or cancel_event().
  [[nodiscard]] std::byte* reserve_event(std::uint32_t body_bytes) noexcept {
    return delivery_.reserve(body_bytes);
  }
  /// Whether an event of so many bytes fits at all, when the client has drained everything.
  [[nodiscard]] bool fits_event(std::uint64_t body_bytes) const noexcept {
    return delivery_.fits(body_bytes);
  }
  /// Whether waiting helps when the last reserve_event() found no room.
  [[nodiscard]] bool fits_reserved_event() const noexcept { return delivery_.fits_reserved(); }
  /// Bytes that the client has released since it attached, as of the last reserve_event().
  [[nodiscard]] std::uint64_t released_event_bytes() const noexcept {
    return delivery_.released_bytes();
  }
  void commit_event(EventKind kind, std::uint8_t flags = 0) noexcept {
    delivery_.commit(static_cast<std::uint8_t>(kind), flags);
  }
  void cancel_event() noexcept { delivery_.cancel(); }

  /// To write whole events.
  [[nodiscard]] EventProducer& events() noexcept { return delivery_; }
  [[nodiscard]] bool write_message(const MessageEvent& message, std::uint8_t flags,
                                   std::span<const std::byte> payload) noexcept {
    return delivery_.write_message(message, flags, payload);
  }

  /// Shows committed events to the client: once a burst. True: wake the client, it sleeps.
  [[nodiscard]] bool publish_events() noexcept;
  /// For whoever watches: what waits in both rings, as of now. Two loads of what the client wrote;
  /// a lie makes the channel broken(), as anywhere.
  struct Queued {
    std::uint64_t submissions = 0;  ///< Bytes.
    std::uint64_t events = 0;       ///< Likewise.
  };
  [[nodiscard]] Queued queued() noexcept {
    (void)submit_.refresh();
    delivery_.refresh();
    return {.submissions = submit_.queued_bytes(), .events = delivery_.used_bytes()};
  }
  /// As of the last reserve_event(): delivery ring bytes that the client has not released.
  [[nodiscard]] std::uint64_t queued_event_bytes() const noexcept { return delivery_.used_bytes(); }

  // --- The shared log (delivery_log.h), for a client that reads it ---

  /// From `position` of the log on it is a reader. Before its next event is written.
  void join_log(std::uint64_t position) noexcept;
  /// How far it has read, in [`seen`, `published`], or a lie, which makes the channel broken():
  /// `seen`, what it said before, then.
  [[nodiscard]] std::uint64_t log_position(std::uint64_t seen, std::uint64_t published) noexcept;
  /// The log was published. True: wake the client, it sleeps.
  [[nodiscard]] bool log_published() noexcept { return take_wait(kWaitsForEvent); }

  // --- State ---

  /// The client is to drain what is queued, then sees EVICTED and attaches anew. True: wake it.
  [[nodiscard]] bool evict(EvictReason reason) noexcept;
  /// The data plane goes away in good order. True: wake the client.
  [[nodiscard]] bool disconnect() noexcept;
  /// Before the worker sleeps: set true on every channel, then peek_submission() on each once more,
  /// then wait on the doorbells; false on waking.
  void set_worker_sleeping(bool sleeping) noexcept;
  /// ChannelOptions::fences, which the client may rely on.
  [[nodiscard]] bool fences() const noexcept { return fences_; }

  [[nodiscard]] bool broken() const noexcept {
    return broken_ || submit_.broken() || delivery_.broken();
  }

 private:
  [[nodiscard]] static std::size_t shortened(std::span<const std::byte> body) noexcept;
  [[nodiscard]] bool take_wait(std::uint32_t bit) noexcept;
  [[nodiscard]] bool set_state(ChannelState state) noexcept;

  Fd memory_fd_, bulk_fd_, doorbell_fd_;
  MirroredRing page_mapping_;  ///< The control page.
  MirroredRing submit_memory_, delivery_memory_, submit_bulk_memory_, delivery_bulk_memory_;
  ChannelPage* page_ = nullptr;
  ChannelGeometry geometry_{};
  BulkConsumer submit_;
  EventProducer delivery_;
  bool fences_ = false;
  bool broken_ = false;
};

// Once a message: inlined into the worker.
inline bool WorkerChannel::peek_submission(Submission& out) noexcept {
  BulkRecord record;
  if (broken_ || !submit_.peek(record)) return false;
  SubmissionBody body;
  if ((record.flags & kBodyShortened) != 0) [[unlikely]] {
    record.body = record.body.first(shortened(record.body));
    record.flags &= static_cast<std::uint8_t>(~kBodyShortened);
  }
  if (record.kind < static_cast<std::uint8_t>(SubmissionKind::Multicast) ||
      record.kind > static_cast<std::uint8_t>(SubmissionKind::Close) ||
      record.body.size() < sizeof body) [[unlikely]] {
    broken_ = true;
    return false;
  }
  std::memcpy(&body, record.body.data(), sizeof body);
  asm volatile("" : "+r"(body.group));  // The copy is what counts, whatever the client writes next.
  out = {.kind = static_cast<SubmissionKind>(record.kind),
         .flags = record.flags,
         .group = body.group,
         .payload = record.body.subspan(sizeof body)};
  const std::uint64_t most =
      out.kind == SubmissionKind::Multicast ? geometry_.message_bytes_max : kGroupNameBytesMax;
  if (out.payload.size() > most) [[unlikely]] {
    broken_ = true;  // The library refuses these itself.
    return false;
  }
  return true;
}

}  // namespace phalanx::shm

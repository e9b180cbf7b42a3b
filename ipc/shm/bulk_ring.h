#pragma once

#include "ipc/shm/channel_layout.h"
#include "ipc/shm/spsc_byte_ring.h"

namespace phalanx::shm {

/// A ring of records and, beside it, a bulk ring for the bodies of those that are longer than half
/// the ring: small records never wait behind the memory of a large one, and the ring stays small
/// enough for the cache. Used at both ends of a channel, in both directions. One thread an end.

class BulkProducer {
 public:
  BulkProducer() = default;
  /// `bulk` has 0 bytes when there is none.
  BulkProducer(SpscProducer ring, SpscProducer bulk) noexcept : ring_(ring), bulk_(bulk) {}

  /// Room for a body, or nullptr when it does not fit now, or ever (see fits()).
  [[nodiscard]] std::byte* reserve(std::uint32_t body_bytes) noexcept {
    body_bytes_ = body_bytes;
    in_bulk_ = ring_record_bytes(body_bytes) > ring_.bytes() / 2;
    if (!in_bulk_) [[likely]]
      return ring_.reserve(body_bytes);
    if (bulk_.bytes() == 0 || ring_.reserve(0) == nullptr) return nullptr;
    return bulk_.reserve(body_bytes);
  }

  /// Ends the record of the last reserve().
  void commit(std::uint8_t kind, std::uint8_t flags) noexcept {
    if (!in_bulk_) [[likely]] {
      ring_.commit(body_bytes_, make_tag(kind, flags));
      return;
    }
    bulk_.commit(body_bytes_, 0);
    ring_.commit(0, make_tag(kind, static_cast<std::uint8_t>(flags | kBodyInBulk)));
  }
  /// reserve() and commit() in one: the room is filled before the next publish().
  [[nodiscard]] std::byte* append(std::uint32_t body_bytes, std::uint8_t kind,
                                  std::uint8_t flags) noexcept {
    if (ring_record_bytes(body_bytes) <= ring_.bytes() / 2) [[likely]] {
      std::byte* room = ring_.append(body_bytes, make_tag(kind, flags));
      if (room == nullptr) [[unlikely]]
        body_bytes_ = body_bytes;
      return room;
    }
    std::byte* room = reserve(body_bytes);
    if (room != nullptr) commit(kind, flags);
    return room;
  }
  /// Forgets the reserved room. Nothing was shown to anyone.
  void cancel() noexcept { body_bytes_ = 0; }

  /// Shows what was committed; `order` is that of the ring's own store.
  bool publish(std::memory_order order = std::memory_order_release) noexcept {
    if (bulk_.bytes() != 0) bulk_.publish();
    return ring_.publish(order);
  }
  void refresh() noexcept { ring_.refresh(); }

  [[nodiscard]] bool fits(std::uint64_t body_bytes) const noexcept {
    return ring_record_bytes(body_bytes) <= ring_.bytes() / 2 ||
           (bulk_.bytes() != 0 && bulk_.fits(body_bytes));
  }
  /// Whether the body that found no room last fits once everything is drained.
  [[nodiscard]] bool fits_reserved() const noexcept { return fits(body_bytes_); }
  /// By the consumer, since the beginning, as of the last reserve().
  [[nodiscard]] std::uint64_t released_bytes() const noexcept {
    return ring_.released_bytes() + bulk_.released_bytes();
  }
  /// Of the ring alone: a record was released when its end was.
  [[nodiscard]] std::uint64_t committed_in_ring() const noexcept { return ring_.committed_bytes(); }
  [[nodiscard]] std::uint64_t released_in_ring() const noexcept { return ring_.released_bytes(); }
  [[nodiscard]] std::uint64_t free_bytes() const noexcept { return ring_.free_bytes(); }
  [[nodiscard]] std::uint64_t bulk_free_bytes() const noexcept { return bulk_.free_bytes(); }
  [[nodiscard]] std::uint64_t ring_bytes() const noexcept { return ring_.bytes(); }
  void refresh_both() noexcept {
    ring_.refresh();
    if (bulk_.bytes() != 0) bulk_.refresh();
  }
  [[nodiscard]] std::uint64_t used_bytes() const noexcept {
    return ring_.bytes() - ring_.free_bytes();
  }
  [[nodiscard]] bool broken() const noexcept { return ring_.broken() || bulk_.broken(); }

 private:
  SpscProducer ring_, bulk_;
  std::uint32_t body_bytes_ = 0;
  bool in_bulk_ = false;
};

/// A record of either ring; the tag's flags are without kBodyInBulk.
struct BulkRecord {
  std::uint8_t kind = 0;
  std::uint8_t flags = 0;
  std::span<const std::byte> body;
};

class BulkConsumer {
 public:
  BulkConsumer() = default;
  BulkConsumer(SpscConsumer ring, SpscConsumer bulk) noexcept : ring_(ring), bulk_(bulk) {}

  [[nodiscard]] bool peek(BulkRecord& out) noexcept {
    RingRecord record;
    if (broken_ || !ring_.peek(record)) return false;
    out = {.kind = tag_kind(record.tag), .flags = tag_flags(record.tag), .body = record.payload};
    in_bulk_ = (out.flags & kBodyInBulk) != 0;
    if (in_bulk_) [[unlikely]] {
      out.flags &= static_cast<std::uint8_t>(~kBodyInBulk);
      RingRecord bulk;
      if (bulk_.bytes() == 0 || !bulk_.peek(bulk)) {
        broken_ = true;  // The body is published before its record, or it is a lie.
        return false;
      }
      out.body = bulk.payload;
      out.flags |= static_cast<std::uint8_t>(tag_flags(bulk.tag) & kBodyShortened);
    }
    return true;
  }

  void pop() noexcept {
    ring_.pop();
    if (in_bulk_) bulk_.pop();
  }
  bool release(std::memory_order order = std::memory_order_release) noexcept {
    if (bulk_.bytes() != 0) bulk_.release();
    return ring_.release(order);
  }
  /// Where the last pop() ended, for release_to(): records that are kept while later ones are
  /// popped.
  struct Position {
    std::uint64_t ring = 0, bulk = 0;
  };
  [[nodiscard]] Position position() const noexcept {
    return {.ring = ring_.popped_bytes(), .bulk = bulk_.popped_bytes()};
  }
  bool release_to(const Position& end,
                  std::memory_order order = std::memory_order_release) noexcept {
    if (bulk_.bytes() != 0) bulk_.release_to(end.bulk);
    return ring_.release_to(end.ring, order);
  }
  bool refresh(std::memory_order order = std::memory_order_acquire) noexcept {
    return !broken_ && ring_.refresh(order);
  }

  /// Space that was popped and not released, as a share that is worth a store: a quarter of a ring.
  [[nodiscard]] bool release_is_due() const noexcept {
    return ring_.unreleased_bytes() >= ring_.bytes() / 4 ||
           bulk_.unreleased_bytes() > bulk_.bytes() / 4;
  }
  [[nodiscard]] std::uint64_t queued_bytes() const noexcept { return ring_.queued_bytes(); }
  [[nodiscard]] bool broken() const noexcept { return broken_ || ring_.broken() || bulk_.broken(); }

 private:
  SpscConsumer ring_, bulk_;
  bool in_bulk_ = false;
  bool broken_ = false;
};

}  // namespace phalanx::shm

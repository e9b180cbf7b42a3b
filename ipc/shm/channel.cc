#include "ipc/shm/channel.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <new>
#include <utility>

namespace phalanx::shm {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
/// Views of large groups must fit too, however small the messages are.
constexpr std::uint64_t kEventBytesMin = 64u << 10;

std::uint64_t ring_bytes_for(std::uint64_t wanted) noexcept {
  return std::bit_ceil(std::clamp(wanted, kChannelRingBytesMin, kChannelRingBytesMax));
}

std::uint64_t bulk_bytes_for(std::uint64_t ring_bytes, std::uint64_t body_bytes_max) noexcept {
  const std::uint64_t record = ring_record_bytes(body_bytes_max);
  return record > ring_bytes / 2 ? std::bit_ceil(std::max(record, kPageBytes)) : 0;
}

ChannelGeometry geometry_for(const ChannelOptions& options) noexcept {
  ChannelGeometry g{};
  g.submit_bytes = ring_bytes_for(options.submit_bytes);
  g.delivery_bytes = ring_bytes_for(options.delivery_bytes);
  g.message_bytes_max = std::min(options.message_bytes_max, kMessageBytesMax);
  const std::uint64_t submission_max =
      sizeof(SubmissionBody) + std::max<std::uint64_t>(g.message_bytes_max, kGroupNameBytesMax);
  g.submit_bulk_bytes = bulk_bytes_for(g.submit_bytes, submission_max);
  g.delivery_bulk_bytes = bulk_bytes_for(
      g.delivery_bytes, std::max(sizeof(MessageEvent) + g.message_bytes_max, kEventBytesMin));
  g.page_bytes = kPageBytes;
  g.group_name_bytes_max = kGroupNameBytesMax;
  g.node = options.node;
  g.client = options.client;
  g.log_bytes = options.log_bytes;
  return g;
}

}  // namespace

Expected<WorkerChannel, Error> WorkerChannel::create(const ChannelOptions& options) {
  WorkerChannel c;
  const ChannelGeometry g = geometry_for(options);
  c.geometry_ = g;
  c.fences_ = options.fences;

  // Plain pages: a client may punch holes into its memory, and a huge page that cannot be had again
  // is a SIGBUS of the worker.
  auto memory = create_memory(g.page_bytes + g.submit_bytes + g.delivery_bytes,
                              {.name = "phalanx-channel", .prefault = true});
  if (!memory) return fail(memory.error());
  c.memory_fd_ = std::move(*memory);
  const std::uint64_t bulk_bytes = g.submit_bulk_bytes + g.delivery_bulk_bytes;
  if (bulk_bytes > 0) {
    auto bulk = create_memory(bulk_bytes, {.name = "phalanx-bulk"});
    if (!bulk) return fail(bulk.error());
    c.bulk_fd_ = std::move(*bulk);
  }
  c.doorbell_fd_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!c.doorbell_fd_)
    return fail(system_error("cannot create a client's doorbell", "eventfd", errno));

  struct Part {
    MirroredRing* ring;
    int fd;
    std::uint64_t offset;
    std::uint64_t bytes;
  };
  const Part parts[] = {
      {&c.page_mapping_, c.memory_fd_.get(), 0, g.page_bytes},
      {&c.submit_memory_, c.memory_fd_.get(), g.page_bytes, g.submit_bytes},
      {&c.delivery_memory_, c.memory_fd_.get(), g.page_bytes + g.submit_bytes, g.delivery_bytes},
      {&c.submit_bulk_memory_, c.bulk_fd_.get(), 0, g.submit_bulk_bytes},
      {&c.delivery_bulk_memory_, c.bulk_fd_.get(), g.submit_bulk_bytes, g.delivery_bulk_bytes},
  };
  for (const Part& part : parts) {
    if (part.bytes == 0) continue;
    auto ring = MirroredRing::map(part.fd, part.offset, part.bytes);
    if (!ring) return fail(ring.error());
    *part.ring = std::move(*ring);
  }

  c.page_ = new (c.page_mapping_.data()) ChannelPage{};
  c.page_->magic = kChannelMagic;
  c.page_->version = kChannelVersion;
  c.page_->page_struct_bytes = sizeof(ChannelPage);
  c.page_->geometry = g;
  c.page_->state = static_cast<std::uint32_t>(ChannelState::Open);
  c.page_->worker_fences = options.fences ? 1 : 0;
  c.page_->log_start.position = c.page_->log_head.position = kNotInLog;
  c.submit_ = BulkConsumer(
      SpscConsumer(c.page_->submit, c.submit_memory_.data(), g.submit_bytes),
      SpscConsumer(c.page_->submit_bulk, c.submit_bulk_memory_.data(), g.submit_bulk_bytes));
  c.delivery_ = EventProducer(
      SpscProducer(c.page_->delivery, c.delivery_memory_.data(), g.delivery_bytes),
      SpscProducer(c.page_->delivery_bulk, c.delivery_bulk_memory_.data(), g.delivery_bulk_bytes));
  return c;
}

/// How long such a body is: 0, which none can be, when it lies. Its flag was read once, and so is
/// this. By value, or the record of every submission would have to be in memory.
std::size_t WorkerChannel::shortened(std::span<const std::byte> body) noexcept {
  const std::uint64_t room = ring_record_bytes(body.size()) - kRingPrefixBytes;
  if (room < sizeof(SubmissionBody) + sizeof(std::uint64_t)) return 0;
  std::uint64_t bytes;
  std::memcpy(&bytes, body.data() + room - sizeof bytes, sizeof bytes);
  asm volatile("" : "+r"(bytes));
  return bytes > room - sizeof bytes ? 0 : bytes;
}

bool WorkerChannel::release_submissions() noexcept {
  return submit_.release(std::memory_order_seq_cst) && take_wait(kWaitsForRoom);
}

bool WorkerChannel::publish_events() noexcept {
  return delivery_.publish(std::memory_order_seq_cst) && take_wait(kWaitsForEvent);
}

void WorkerChannel::join_log(std::uint64_t position) noexcept {
  std::atomic_ref(page_->log_start.position).store(position, std::memory_order_release);
}

std::uint64_t WorkerChannel::log_position(std::uint64_t seen, std::uint64_t published) noexcept {
  const std::uint64_t at =
      std::atomic_ref(page_->log_head.position).load(std::memory_order_acquire);
  if (at == kNotInLog) return seen;
  if (at - seen > published - seen || at % 8 != 0) {
    broken_ = true;
    return seen;
  }
  return at;
}

bool WorkerChannel::take_wait(std::uint32_t bit) noexcept {
  // The client sets its bit (seq_cst) and then looks at the index; we stored the index (seq_cst)
  // and now look at the bit: one of the two sees the other.
  std::atomic_ref waits(page_->client_waits);
  if ((waits.load(std::memory_order_seq_cst) & bit) == 0) return false;
  return (waits.fetch_and(~bit, std::memory_order_acq_rel) & bit) != 0;
}

bool WorkerChannel::set_state(ChannelState state) noexcept {
  delivery_.publish();
  std::atomic_ref(page_->state).store(static_cast<std::uint32_t>(state), std::memory_order_seq_cst);
  const bool sleeps = take_wait(kWaitsForEvent);
  return take_wait(kWaitsForRoom) || sleeps;
}

bool WorkerChannel::evict(EvictReason reason) noexcept {
  std::atomic_ref(page_->evict_reason)
      .store(static_cast<std::uint32_t>(reason), std::memory_order_relaxed);
  return set_state(ChannelState::Evicted);
}

bool WorkerChannel::disconnect() noexcept { return set_state(ChannelState::Disconnected); }

void WorkerChannel::set_worker_sleeping(bool sleeping) noexcept {
  std::atomic_ref(page_->worker_sleeping).store(sleeping ? 1 : 0, std::memory_order_seq_cst);
}

}  // namespace phalanx::shm

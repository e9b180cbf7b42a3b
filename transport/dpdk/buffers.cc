#include "transport/dpdk/buffers.h"

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "ipc/base/assert.h"
#include "ipc/base/bytes.h"
#include "transport/dpdk/eal.h"
#include "transport/dpdk/gapless_pool.h"
#include "transport/dpdk/hugepages.h"
#include "transport/dpdk/pool_poison.h"

namespace phalanx::transport::dpdk {
namespace {

/// Mbufs that were just freed are used again first, while they are in the processor's cache.
constexpr std::uint32_t kCacheFrames = 128;

/// EAL found no room for the mbufs themselves, and for `room` bytes behind each.
Error no_pool(unsigned frames, std::uint16_t room) {
  const int why = rte_errno;
  const std::uint64_t bytes = std::uint64_t{frames} * (sizeof(rte_mbuf) + 64 + room);
  if (has_hugepages()) {
    if (auto there = check_hugepages(bytes); !there) return std::move(there.error());
  }
  return {.code = ExitCode::Usage,
          .attempted = "cannot make " + std::to_string(frames) + " packet buffers in " +
                       std::to_string(bytes >> 10) + " KiB of DPDK's memory",
          .observed = rte_strerror(why),
          .remedy = has_hugepages()
                        ? "leave --socket-mem, -m and --socket-limit out of transport.eal"
                        : "with --no-huge give more memory: transport.eal = \"--no-huge -m 128\""};
}

struct Shape {
  unsigned frames;
  unsigned cache;
  std::uint16_t room;
  int socket;
};

rte_mempool* make_pool(const Buffers::Options& options, const Shape& shape,
                       const std::optional<PoolMemory>& memory) {
  const char* name = options.name.c_str();
  if (options.memory == Buffers::Memory::DpdkGapless) {
    return make_gapless_pool(options.name, shape.frames, shape.cache, shape.room, shape.socket);
  }
  if (!memory) {
    return rte_pktmbuf_pool_create(name, shape.frames, shape.cache, 0, shape.room, shape.socket);
  }
  const std::span<std::byte> bytes = memory->bytes();
  const rte_pktmbuf_extmem area{.buf_ptr = bytes.data(),
                                .buf_iova = reinterpret_cast<rte_iova_t>(bytes.data()),
                                .buf_len = bytes.size(),
                                .elt_size = shape.room};
  return rte_pktmbuf_pool_create_extbuf(name, shape.frames, shape.cache, 0, shape.room,
                                        shape.socket, &area, 1);
}

}  // namespace

Expected<Buffers, Error> Buffers::create(const Options& options) {
  if (poisons_pools()) poison_next_pools();
  const unsigned cache = poisons_pools() ? 0 : kCacheFrames;
  // The cache of a thread may hold half as much again as it was made for.
  const auto caches = static_cast<std::uint32_t>(options.threads) * 2 * kCacheFrames;
  const std::uint32_t needed = options.frames + static_cast<std::uint32_t>(2 * kBurst) + caches;
  const unsigned frames = std::bit_ceil(needed) - 1;
  const auto room = static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM +
                                               round_up<std::uint32_t>(options.frame_bytes, 64));
  std::optional<PoolMemory> memory;
  if (options.memory == Memory::Own) {
    auto made = PoolMemory::create(std::uint64_t{frames} * room);
    if (!made) return fail(std::move(made.error()));
    memory.emplace(std::move(*made));
  }
  const auto make = [&](int socket) {
    return make_pool(options, {.frames = frames, .cache = cache, .room = room, .socket = socket},
                     memory);
  };
  const bool asks = options.node && rte_socket_count() > 1;
  rte_mempool* pool = make(asks ? static_cast<int>(*options.node) : SOCKET_ID_ANY);
  // A node is a wish: where it has no memory that DPDK may take, there is some elsewhere.
  if (pool == nullptr && asks) pool = make(SOCKET_ID_ANY);
  if (pool == nullptr) {
    return fail(no_pool(frames, options.memory == Memory::Own ? std::uint16_t{0} : room));
  }
  if (poisons_pools()) start_poisoning(pool);
  return Buffers(std::move(memory), pool, options);
}

Buffers::Buffers(std::optional<PoolMemory> memory, rte_mempool* pool,
                 const Options& options) noexcept
    : memory_(std::move(memory)),
      pool_(pool),
      lent_bytes_(options.frame_bytes - options.header_bytes) {}

Buffers::Buffers(Buffers&& other) noexcept
    : memory_(std::move(other.memory_)),
      pool_(std::exchange(other.pool_, nullptr)),
      lent_bytes_(other.lent_bytes_),
      missing_(std::exchange(other.missing_, kBurst)),
      lent_(other.lent_) {}

Buffers::~Buffers() {
  if (pool_ == nullptr) return;
  for (std::size_t i = missing_; i < kBurst; ++i) rte_pktmbuf_free(lent_[i]);
  rte_mempool_free(pool_);
}

std::size_t Buffers::lend(std::span<TxFrame> out) noexcept {
  if (missing_ > 0) {
    const auto wanted = static_cast<unsigned>(missing_);
    if (rte_pktmbuf_alloc_bulk(pool_, lent_.data(), wanted) != 0) [[unlikely]]
      return 0;
    missing_ = 0;
  }
  const std::size_t count = std::min(out.size(), kBurst);
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = {.bytes = {rte_pktmbuf_mtod(lent_[i], std::byte*), lent_bytes_},
              .length = 0,
              .to = {},
              .cookie = lent_[i]};
  }
  return count;
}

std::span<rte_mbuf*> Buffers::take(std::span<const TxFrame> frames) noexcept {
  PHX_CHECK(frames.size() <= kBurst && missing_ == 0);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    rte_mbuf* mbuf = lent_[i];
    PHX_CHECK(frames[i].length <= lent_bytes_);
    mbuf->data_len = static_cast<std::uint16_t>(frames[i].length);
    mbuf->pkt_len = static_cast<std::uint32_t>(frames[i].length);
  }
  missing_ = frames.size();
  return std::span(lent_).first(frames.size());
}

void Buffers::release(std::span<const RxFrame> frames) noexcept {
  std::array<rte_mbuf*, kBurst> mbufs;
  while (!frames.empty()) {
    const std::size_t count = std::min(frames.size(), kBurst);
    for (std::size_t i = 0; i < count; ++i) mbufs[i] = static_cast<rte_mbuf*>(frames[i].cookie);
    rte_pktmbuf_free_bulk(mbufs.data(), static_cast<unsigned>(count));
    frames = frames.subspan(count);
  }
}

}  // namespace phalanx::transport::dpdk

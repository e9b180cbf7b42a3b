#include "transport/dpdk/buffers.h"

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "ipc/base/assert.h"
#include "ipc/base/bytes.h"

namespace phalanx::transport::dpdk {
namespace {

/// Mbufs that were just freed are used again first, while they are in the processor's cache.
constexpr std::uint32_t kCacheFrames = 128;

}  // namespace

Expected<Buffers, Error> Buffers::create(const Options& options) {
  // The cache of a thread may hold half as much again as it was made for.
  const std::uint32_t frames = options.frames + 2 * kBurst + kCacheFrames * 2;
  const auto room = static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM +
                                               round_up<std::uint32_t>(options.frame_bytes, 64));
  rte_mempool* pool = rte_pktmbuf_pool_create(options.name.c_str(), std::bit_ceil(frames) - 1,
                                              kCacheFrames, 0, room, SOCKET_ID_ANY);
  if (pool == nullptr) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = "cannot make " + std::to_string(std::bit_ceil(frames) - 1) +
                                   " packet buffers of " + std::to_string(room) + " bytes",
                      .observed = rte_strerror(rte_errno),
                      .remedy = "give more hugepages (sysctl -w vm.nr_hugepages=N), or with "
                                "--no-huge more memory (transport.eal = \"--no-huge -m 128\")"});
  }
  return Buffers(pool, options);
}

Buffers::Buffers(rte_mempool* pool, const Options& options) noexcept
    : pool_(pool), lent_bytes_(options.frame_bytes - options.header_bytes) {}

Buffers::Buffers(Buffers&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
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

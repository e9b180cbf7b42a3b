#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "transport/dpdk/pool_memory.h"
#include "transport/transport.h"

struct rte_mbuf;
struct rte_mempool;

namespace phalanx::transport::dpdk {

/// The mbuf pool of one transport, and the empty mbufs that it lends for sending. Frames are
/// written, or received, straight into mbufs. One thread.
class Buffers {
 public:
  static constexpr std::size_t kBurst = 64;

  /// Where frames lie: in memory of ours, or, where a driver needs that, in DPDK's, beside their
  /// mbufs, and there without gaps between them.
  enum class Memory : std::uint8_t { Own, Dpdk, DpdkGapless };

  struct Options {
    std::string name;                   ///< Another one for each pool of a process.
    std::uint32_t frames = 0;           ///< Held by ports at once; the lent ones come on top.
    std::uint32_t frame_bytes = 0;      ///< Longest frame, the transport's own headers included.
    std::uint32_t header_bytes = 0;     ///< Of these, headers before the lent part.
    std::size_t threads = 1;            ///< That free what was received, each through a cache.
    std::optional<std::uint32_t> node;  ///< NUMA node of DPDK's own part, where it has some there.
    Memory memory = Memory::Own;
  };
  [[nodiscard]] static Expected<Buffers, Error> create(const Options& options);
  Buffers(Buffers&& other) noexcept;
  Buffers& operator=(Buffers&&) = delete;
  ~Buffers();

  [[nodiscard]] rte_mempool* pool() const noexcept { return pool_; }

  std::size_t lend(std::span<TxFrame> out) noexcept;
  /// The mbufs behind the first frames lent; from now on the caller's, with their lengths set.
  [[nodiscard]] std::span<rte_mbuf*> take(std::span<const TxFrame> frames) noexcept;

  static void release(std::span<const RxFrame> frames) noexcept;

 private:
  Buffers(std::optional<PoolMemory> memory, rte_mempool* pool, const Options& options) noexcept;

  std::optional<PoolMemory> memory_;  ///< Outlives the pool.
  rte_mempool* pool_;
  std::uint32_t lent_bytes_;
  std::size_t missing_ = kBurst;  ///< The first of lent_ that must be filled again.
  std::array<rte_mbuf*, kBurst> lent_{};
};

}  // namespace phalanx::transport::dpdk

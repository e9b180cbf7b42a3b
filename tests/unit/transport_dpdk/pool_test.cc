#include <fcntl.h>
#include <gtest/gtest.h>
#include <rte_memory.h>
#include <rte_mempool.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "tests/unit/transport_dpdk/nodes.h"
#include "transport/dpdk/buffers.h"
#include "transport/dpdk/eal.h"
#include "transport/dpdk/pool_memory.h"
#include "transport/dpdk/pool_poison.h"

namespace phalanx::transport::dpdk {
namespace {

class Pool : public testing::Test {
 protected:
  void SetUp() override {
    const auto started =
        start_eal({.instance = "test", .cpu = {}, .pci = {}, .extra = eal_words()});
    ASSERT_TRUE(started) << started.error().text();
  }
};

TEST_F(Pool, IsSealedMemoryThatAProcessWithoutDpdkCanRead) {
  const auto memory = PoolMemory::create(1);
  ASSERT_TRUE(memory) << memory.error().text();
  const std::span<std::byte> bytes = memory->bytes();
  bytes[1000] = std::byte{42};

  const int seals = fcntl(memory->fd(), F_GET_SEALS);
  void* elsewhere = mmap(nullptr, bytes.size(), PROT_READ, MAP_SHARED, memory->fd(), 0);

  EXPECT_EQ(seals, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  ASSERT_NE(elsewhere, MAP_FAILED);
  EXPECT_EQ(static_cast<std::byte*>(elsewhere)[1000], std::byte{42});
  munmap(elsewhere, bytes.size());
}

TEST_F(Pool, IsKnownToDpdkAsLongAsItLives) {
  const void* at = nullptr;
  {
    const auto memory = PoolMemory::create(3U << 20);
    ASSERT_TRUE(memory) << memory.error().text();
    at = memory->bytes().data();
    EXPECT_EQ(memory->bytes().size(), 4U << 20);
    EXPECT_NE(rte_mem_virt2memseg_list(at), nullptr);
  }
  EXPECT_EQ(rte_mem_virt2memseg_list(at), nullptr);
}

TEST_F(Pool, LendsFramesOfThatMemoryAsLongAsAsked) {
  auto buffers = Buffers::create(
      {.name = "pool-test", .frames = 100, .frame_bytes = 9000, .header_bytes = 42});
  ASSERT_TRUE(buffers) << buffers.error().text();
  std::array<TxFrame, Buffers::kBurst> frames;

  ASSERT_EQ(buffers->lend(frames), frames.size());

  for (const TxFrame& frame : frames) {
    EXPECT_EQ(frame.bytes.size(), 9000U - 42U);
    const rte_memseg_list* list = rte_mem_virt2memseg_list(frame.bytes.data());
    ASSERT_NE(list, nullptr);
    EXPECT_TRUE(list->external);
    std::memset(frame.bytes.data(), 0xff, frame.bytes.size());
  }
}

// The af_xdp driver lends the kernel so many bytes from the first mbuf on, gaps or not.
TEST_F(Pool, WithoutGapsAllMbufsLieInAsManyBytesAsTheyTakeTogether) {
  auto buffers = Buffers::create({.name = "gapless-test",
                                  .frames = 1000,
                                  .frame_bytes = 1514,
                                  .header_bytes = 42,
                                  .memory = Buffers::Memory::DpdkGapless});
  ASSERT_TRUE(buffers) << buffers.error().text();
  rte_mempool* pool = buffers->pool();
  const std::uint64_t each = rte_mempool_calc_obj_size(pool->elt_size, pool->flags, nullptr);
  std::vector<std::uintptr_t> mbufs;
  rte_mempool_obj_iter(
      pool,
      [](rte_mempool*, void* into, void* mbuf, unsigned) {
        static_cast<std::vector<std::uintptr_t>*>(into)->push_back(
            reinterpret_cast<std::uintptr_t>(mbuf));
      },
      &mbufs);

  ASSERT_GE(mbufs.size(), 1000U);
  EXPECT_EQ(mbufs.size(), pool->populated_size);
  const auto [first, last] = std::ranges::minmax(mbufs);
  EXPECT_EQ(last - first, (mbufs.size() - 1) * each);
}

// Without this, AddressSanitizer overlooks every use of an mbuf that was given back.
TEST_F(Pool, AFrameThatWasGivenBackMustNotBeTouched) {
  if (!poisons_pools()) GTEST_SKIP() << "in builds with AddressSanitizer only";
  const TemporaryDirectory directory;
  const auto a = open_memif_node(directory.path(), 1, 2);
  const auto b = open_memif_node(directory.path(), 2, 2);
  ASSERT_TRUE(a != nullptr && b != nullptr);
  RxFrame frame;
  ASSERT_TRUE(turn_until([&] {
    send(*a, {frame_of(1, 64)}, {.kind = Destination::Kind::Everyone});
    (void)receive(*a);
    return b->rx_burst({&frame, 1}) == 1;
  }));
  const volatile auto* bytes = reinterpret_cast<const unsigned char*>(frame.bytes.data());
  EXPECT_EQ(static_cast<std::byte>(bytes[0]), frame_of(1, 64)[0]);

  b->rx_release({&frame, 1});

  EXPECT_DEATH((void)bytes[0], "use-after-poison");
}

}  // namespace
}  // namespace phalanx::transport::dpdk

// Where the kernel says that memory comes from.

#include "ipc/base/memory_node.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <optional>

#include "ipc/shm/channel.h"
#include "ipc/shm/delivery_log.h"
#include "ipc/shm/mirrored_ring.h"

namespace phalanx::shm {
namespace {

constexpr int kDefault = 0;
constexpr int kPreferred = 1;
constexpr int kInterleave = 3;
constexpr unsigned long kOfAddress = 2;  // MPOL_F_ADDR

using Nodes = std::array<std::uint64_t, 16>;
constexpr unsigned long kBits = sizeof(Nodes) * 8 + 1;

struct Policy {
  int mode = -1;
  Nodes nodes{};

  friend bool operator==(const Policy&, const Policy&) = default;
};

Policy of_thread() {
  Policy out;
  EXPECT_EQ(syscall(SYS_get_mempolicy, &out.mode, out.nodes.data(), kBits, nullptr, 0UL), 0);
  return out;
}

/// Of a mapping that is made only now: what it says is the memory's own.
Policy of_memory(int fd, std::size_t bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  EXPECT_NE(at, MAP_FAILED);
  Policy out;
  EXPECT_EQ(syscall(SYS_get_mempolicy, &out.mode, out.nodes.data(), kBits, at, kOfAddress), 0);
  munmap(at, bytes);
  return out;
}

/// A node that every host has memory on which this process may use.
std::uint32_t a_node() {
  std::uint32_t node = 0;
  std::ifstream("/sys/devices/system/node/has_memory") >> node;
  return node;
}

Policy preferred() {
  Policy out{.mode = kPreferred};
  out.nodes[a_node() / 64] = std::uint64_t{1} << (a_node() % 64);
  return out;
}

struct MemoryNode : testing::Test {
  void SetUp() override {
    const PreferNode tried(a_node());
    if (tried.error() == EPERM || tried.error() == ENOSYS)
      GTEST_SKIP() << "no memory policies here";
    ASSERT_EQ(tried.error(), 0);
  }
};

TEST_F(MemoryNode, IsPreferredAsLongAsItIsWanted) {
  const Policy before = of_thread();
  {
    const PreferNode prefer(a_node());
    EXPECT_EQ(of_thread(), preferred());
  }
  EXPECT_EQ(of_thread(), before);
  const PreferNode none(std::nullopt);
  EXPECT_EQ(of_thread(), before);
}

TEST_F(MemoryNode, WhatAnOperatorChoseForTheProcessIsChosenAgainAfterwards) {
  Nodes nodes = preferred().nodes;
  ASSERT_EQ(syscall(SYS_set_mempolicy, kInterleave, nodes.data(), kBits), 0);
  const Policy before = of_thread();
  { const PreferNode prefer(a_node()); }
  const Policy after = of_thread();
  ASSERT_EQ(syscall(SYS_set_mempolicy, kDefault, nullptr, 0UL), 0);

  EXPECT_EQ(before.mode, kInterleave);
  EXPECT_EQ(after, before);
}

TEST_F(MemoryNode, OneThatThereIsNotIsAnErrorAndChangesNothing) {
  const Policy before = of_thread();
  for (const std::uint32_t node : {1023U, 1024U, ~0U}) {
    const PreferNode prefer(node);
    EXPECT_EQ(prefer.error(), EINVAL) << node;
    EXPECT_EQ(of_thread(), before);
    const auto memory = create_memory(4096);
    EXPECT_EQ(of_memory(memory->get(), 4096).mode, kDefault);
  }
}

// A client may be the first to touch a page of its rings.
TEST_F(MemoryNode, StaysWithMemoryThatIsShared) {
  std::optional<PreferNode> prefer(a_node());
  const auto plain = create_memory(8192);
  const auto whole = create_memory(8192, {.prefault = true});
  const auto channel = WorkerChannel::create(
      {.submit_bytes = 4096, .delivery_bytes = 4096, .message_bytes_max = 1U << 20});
  const auto log = DeliveryLog::create(1U << 20);
  prefer.reset();
  const auto later = create_memory(8192);

  EXPECT_EQ(of_memory(plain->get(), 8192), preferred());
  EXPECT_EQ(of_memory(whole->get(), 8192), preferred());
  EXPECT_EQ(of_memory(channel->memory_fd(), 3 * 4096), preferred());
  EXPECT_EQ(of_memory(channel->bulk_fd(), 4096), preferred());
  EXPECT_EQ(of_memory((*log)->fd(), (*log)->bytes()), preferred());
  EXPECT_EQ(of_memory(later->get(), 8192).mode, kDefault);
}

}  // namespace
}  // namespace phalanx::shm

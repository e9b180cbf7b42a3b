#include "ipc/shm/mirrored_ring.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace phalanx::shm {
namespace {

TEST(MirroredRing, ShowsTheSameBytesInBothCopies) {
  auto ring = MirroredRing::create(8192);
  ASSERT_TRUE(ring.has_value()) << ring.error().text();

  std::memcpy(ring->data() + 8190, "abcd", 4);

  EXPECT_EQ(std::memcmp(ring->data() + 8190, "ab", 2), 0);
  EXPECT_EQ(std::memcmp(ring->data(), "cd", 2), 0);
  EXPECT_EQ(static_cast<char>(ring->data()[2 * 8192 - 1]), 'b');
}

TEST(MirroredRing, RefusesASizeThatIsNoPowerOfTwoOrNoWholePage) {
  EXPECT_FALSE(MirroredRing::create(12288).has_value());
  EXPECT_FALSE(MirroredRing::create(2048).has_value());
  EXPECT_FALSE(MirroredRing::create(0).has_value());
}

TEST(MirroredRing, MapsSeveralRingsOfOneFileWithoutOverlap) {
  auto fd = create_memory(3 * 4096);
  ASSERT_TRUE(fd.has_value());
  auto first = MirroredRing::map(fd->get(), 4096, 4096);
  auto second = MirroredRing::map(fd->get(), 8192, 4096);
  auto reader = MirroredRing::map(fd->get(), 4096, 4096, MirroredRing::Access::ReadOnly);
  ASSERT_TRUE(first.has_value() && second.has_value() && reader.has_value());

  std::memset(first->data(), 1, 4096);
  std::memset(second->data(), 2, 4096);

  EXPECT_EQ(static_cast<int>(first->data()[4095]), 1);
  EXPECT_EQ(static_cast<int>(reader->data()[4096 + 17]), 1);
  EXPECT_EQ(static_cast<int>(second->data()[0]), 2);
}

TEST(MirroredRing, MovesItsMapping) {
  auto ring = MirroredRing::create(4096);
  ASSERT_TRUE(ring.has_value());
  std::byte* data = ring->data();

  MirroredRing moved = std::move(*ring);
  MirroredRing other;
  other = std::move(moved);

  EXPECT_FALSE(static_cast<bool>(moved));  // NOLINT(bugprone-use-after-move): that is the test.
  EXPECT_EQ(other.data(), data);
  other.data()[0] = std::byte{9};
}

// A peer that could shrink the file would make our next access raise SIGBUS.
TEST(Memory, CannotBeShrunkOrGrownByWhoeverHasTheDescriptor) {
  auto fd = create_memory(8192);
  ASSERT_TRUE(fd.has_value());

  EXPECT_NE(ftruncate(fd->get(), 4096), 0);
  EXPECT_NE(ftruncate(fd->get(), 16384), 0);
  EXPECT_NE(fcntl(fd->get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
}

TEST(Memory, FallsBackToPlainPagesWhenHugeOnesDoNotFit) {
  auto fd = create_memory(4096, {.hugetlb = true});

  ASSERT_TRUE(fd.has_value());
  EXPECT_TRUE(MirroredRing::map(fd->get(), 0, 4096).has_value());
}

TEST(Memory, HugeOrNotARingOfTwoMebibytesWorks) {
  auto ring = MirroredRing::create(2u << 20, {.hugetlb = true, .prefault = true});

  ASSERT_TRUE(ring.has_value());
  ring->data()[(2u << 20) + 5] = std::byte{3};
  EXPECT_EQ(static_cast<int>(ring->data()[5]), 3);
}

}  // namespace
}  // namespace phalanx::shm

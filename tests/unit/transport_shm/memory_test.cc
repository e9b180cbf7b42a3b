#include "transport/shm/memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <optional>

#include "ipc/base/memory_node.h"

namespace phalanx::transport::shm {
namespace {

Fd copy_of(int fd) { return Fd(fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

TEST(ShmMemory, ShowsWhatItsOwnerWrites) {
  const auto own = Memory::create("test", 8192, 4096);
  ASSERT_TRUE(own);
  const auto seen = Memory::map(copy_of(own->fd()), 8192, 4096);
  ASSERT_TRUE(seen) << seen.error().text();

  own->data()[5000] = std::byte{42};

  EXPECT_EQ(seen->data()[5000], std::byte{42});
}

TEST(ShmMemory, CanBeWrittenThroughItsOwnersMappingOnly) {
  const auto own = Memory::create("test", 8192, 0);
  ASSERT_TRUE(own);
  const int fd = own->fd();

  EXPECT_EQ(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(pwrite(fd, "x", 1, 0), -1);
  EXPECT_EQ(ftruncate(fd, 4096), -1);
  EXPECT_EQ(ftruncate(fd, 16384), -1);
  EXPECT_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
  void* read = mmap(nullptr, 8192, PROT_READ, MAP_SHARED, fd, 0);
  ASSERT_NE(read, MAP_FAILED);
  EXPECT_EQ(mprotect(read, 8192, PROT_READ | PROT_WRITE), -1);
  munmap(read, 8192);
}

TEST(ShmMemory, ComesFromTheNodeOfWhoMakesIt) {
  std::uint32_t node = 0;
  std::ifstream("/sys/devices/system/node/has_memory") >> node;
  std::optional<PreferNode> prefer(node);
  if (prefer->error() == EPERM || prefer->error() == ENOSYS) GTEST_SKIP();
  const auto own = Memory::create("test", 8192, 4096);
  prefer.reset();
  ASSERT_TRUE(own);

  int mode = -1;
  std::array<std::uint64_t, 16> nodes{};
  constexpr unsigned long kOfAddress = 2;  // MPOL_F_ADDR
  ASSERT_EQ(syscall(SYS_get_mempolicy, &mode, nodes.data(), sizeof nodes * 8 + 1, own->data(),
                    kOfAddress),
            0);

  EXPECT_EQ(mode, 1) << "MPOL_PREFERRED";
  EXPECT_EQ(nodes[node / 64], std::uint64_t{1} << (node % 64));
}

TEST(ShmMemory, RefusesWhatMayShrink) {
  Fd plain(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(plain.get(), 8192), 0);

  const auto mapped = Memory::map(std::move(plain), 8192, 0);

  ASSERT_FALSE(mapped);
  EXPECT_NE(mapped.error().observed.find("not sealed"), std::string::npos);
}

TEST(ShmMemory, RefusesWhereHolesCanBePunched) {
  Fd half(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(half.get(), 8192), 0);
  ASSERT_EQ(fcntl(half.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);

  EXPECT_FALSE(Memory::map(std::move(half), 8192, 0));
}

TEST(ShmMemory, RefusesHugePages) {
  Fd huge(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB));
  if (!huge || ftruncate(huge.get(), 2 << 20) != 0) GTEST_SKIP() << "no huge pages here";
  ASSERT_EQ(fcntl(huge.get(), F_ADD_SEALS,
                  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL),
            0);

  const auto mapped = Memory::map(std::move(huge), 2 << 20, 0);

  ASSERT_FALSE(mapped);
  EXPECT_NE(mapped.error().observed.find("pages of 2097152"), std::string::npos);
}

TEST(ShmMemory, RefusesAnotherSizeThanWasSaid) {
  const auto own = Memory::create("test", 8192, 0);
  ASSERT_TRUE(own);
  for (const std::size_t said : {std::size_t{4096}, std::size_t{12288}, std::size_t{0}}) {
    const auto mapped = Memory::map(copy_of(own->fd()), said, 0);
    ASSERT_FALSE(mapped) << said;
    EXPECT_NE(mapped.error().observed.find("8192 bytes"), std::string::npos);
  }
}

TEST(ShmMemory, RefusesWhatIsNoMemory) {
  Fd file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(Memory::map(std::move(file), 4096, 0));
  EXPECT_FALSE(Memory::map(Fd(), 4096, 0));
}

}  // namespace
}  // namespace phalanx::transport::shm

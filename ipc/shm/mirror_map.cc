#include "ipc/shm/mirror_map.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace phalanx::shm {

bool size_and_seal(int fd, std::uint64_t bytes, std::uint64_t allocated_bytes) noexcept {
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) return false;
  if (allocated_bytes > 0 && fallocate(fd, 0, 0, static_cast<off_t>(allocated_bytes)) != 0)
    return false;
  return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
}

int make_sealed_memory(const char* name, std::uint64_t bytes,
                       std::uint64_t allocated_bytes) noexcept {
  const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0 || size_and_seal(fd, bytes, allocated_bytes)) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

std::uint64_t page_bytes_of(int fd) noexcept {
  struct stat file {};
  if (fstat(fd, &file) != 0 || file.st_blksize <= 0) return 0;
  return static_cast<std::uint64_t>(file.st_blksize);
}

std::byte* map_mirrored(int fd, std::uint64_t offset, std::uint64_t bytes, bool writable) noexcept {
  const std::uint64_t page = page_bytes_of(fd);
  if (page == 0) return nullptr;
  if (bytes == 0 || bytes % page != 0 || offset % page != 0) {
    errno = EINVAL;
    return nullptr;
  }
  // One page more than needed, so that the copies can start on a (huge) page boundary.
  const std::size_t reserved_bytes = 2 * bytes + page;
  void* reserved =
      mmap(nullptr, reserved_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return nullptr;

  auto* start = static_cast<std::byte*>(reserved);
  const std::size_t lead = (page - reinterpret_cast<std::uintptr_t>(start) % page) % page;
  std::byte* data = start + lead;
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  for (int copy = 0; copy < 2; ++copy) {
    void* at = data + static_cast<std::size_t>(copy) * bytes;
    if (mmap(at, bytes, protection, MAP_SHARED | MAP_FIXED, fd, static_cast<off_t>(offset)) ==
        MAP_FAILED) {
      const int error = errno;
      munmap(reserved, reserved_bytes);
      errno = error;
      return nullptr;
    }
  }
  if (lead > 0) munmap(start, lead);
  if (page > lead) munmap(data + 2 * bytes, page - lead);
  return data;
}

void unmap_mirrored(std::byte* data, std::uint64_t bytes) noexcept {
  if (data != nullptr) munmap(data, 2 * bytes);
}

}  // namespace phalanx::shm

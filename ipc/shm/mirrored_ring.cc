#include "ipc/shm/mirrored_ring.h"

#include <sys/mman.h>

#include <bit>
#include <cerrno>
#include <string>

#include "ipc/base/memory_node.h"
#include "ipc/shm/mirror_map.h"

namespace phalanx::shm {
namespace {

std::string of_bytes(const char* what, std::uint64_t bytes) {
  return std::string(what) + " of " + std::to_string(bytes) + " bytes";
}

}  // namespace

Expected<Fd, Error> create_memory(std::uint64_t bytes, const MemoryOptions& options) {
  if (options.hugetlb) {
    // Huge pages are taken at once (a later fault without one would be SIGBUS), so failure is known
    // here; and by this thread, on whose node they are. Files of them keep none.
    Fd huge(memfd_create(options.name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB));
    if (huge && bytes % page_bytes_of(huge.get()) == 0 && size_and_seal(huge.get(), bytes, bytes))
      return huge;
  }
  Fd fd(memfd_create(options.name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fail(system_error("cannot create shared memory", "memfd_create", errno));
  keep_node(fd.get(), bytes);
  if (!size_and_seal(fd.get(), bytes, options.prefault ? bytes : 0)) {
    return fail(system_error("cannot size " + of_bytes("shared memory", bytes),
                             "ftruncate, fallocate or seal", errno,
                             "free some memory, or configure smaller logs and rings"));
  }
  return fd;
}

MirroredRing& MirroredRing::operator=(MirroredRing&& other) noexcept {
  if (this != &other) {
    unmap_mirrored(data_, bytes_);
    data_ = std::exchange(other.data_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

MirroredRing::~MirroredRing() { unmap_mirrored(data_, bytes_); }

Expected<MirroredRing, Error> MirroredRing::create(std::uint64_t bytes,
                                                   const MemoryOptions& options) {
  Expected<Fd, Error> fd = create_memory(bytes, options);
  if (!fd) return fail(fd.error());
  return map(fd->get(), 0, bytes);
}

Expected<MirroredRing, Error> MirroredRing::map(int fd, std::uint64_t offset, std::uint64_t bytes,
                                                Access access) {
  if (!std::has_single_bit(bytes)) {
    return fail(Error{.attempted = "cannot map " + of_bytes("a ring", bytes),
                      .observed = "the size is not a power of two"});
  }
  std::byte* data = map_mirrored(fd, offset, bytes, access == Access::ReadWrite);
  if (data == nullptr) {
    return fail(system_error("cannot map " + of_bytes("a ring", bytes), "mmap", errno,
                             "the size must be a multiple of the page size"));
  }
  return MirroredRing(data, bytes);
}

}  // namespace phalanx::shm

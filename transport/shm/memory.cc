#include "transport/shm/memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "ipc/base/memory_node.h"

namespace phalanx::transport::shm {
namespace {

/// Nobody but who has a mapping from before can write or punch holes, nobody change the size.
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

auto failed(const char* what, const char* call) {
  return fail(system_error(what, call, errno, "free some memory, or lower transport.mtu"));
}

}  // namespace

Memory& Memory::operator=(Memory&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Memory::~Memory() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

Expected<Memory, Error> Memory::create(const char* name, std::size_t bytes, std::size_t ready) {
  constexpr const char* kWhat = "cannot make memory for the nodes of this host";
  Fd fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return failed(kWhat, "memfd_create");
  if (ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) return failed(kWhat, "ftruncate");
  keep_node(fd.get(), bytes);
  const std::size_t now = std::min(bytes, ready);
  if (now > 0 && fallocate(fd.get(), 0, 0, static_cast<off_t>(now)) != 0) {
    return failed(kWhat, "fallocate");
  }
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED) return failed(kWhat, "mmap");
  Memory made(std::move(fd), static_cast<std::byte*>(at), bytes);
  // Before Linux 5.14 the first touches fault instead.
  if (now > 0) (void)madvise(at, now, MADV_POPULATE_WRITE);
  if (fcntl(made.fd(), F_ADD_SEALS, kSeals) != 0) {
    return fail(system_error(kWhat, "fcntl(F_ADD_SEALS)", errno, "run Linux 5.1 or later"));
  }
  return made;
}

Expected<Memory, Error> Memory::map(Fd memory, std::size_t bytes, std::size_t ready) {
  constexpr const char* kWhat = "cannot map the memory of another node of this host";
  struct stat status {};
  if (fstat(memory.get(), &status) != 0) return failed(kWhat, "fstat");
  const int seals = fcntl(memory.get(), F_GET_SEALS);
  const bool sealed = seals >= 0 && (seals & kSeals) == kSeals;
  // A huge page may be missing when it is touched: SIGBUS.
  const bool plain = status.st_blksize == sysconf(_SC_PAGESIZE);
  if (!sealed || !plain || static_cast<std::size_t>(status.st_size) != bytes) {
    return fail(Error{.attempted = kWhat,
                      .observed = "it has " + std::to_string(status.st_size) + " bytes, " +
                                  (sealed ? "" : "not ") + "sealed, in pages of " +
                                  std::to_string(status.st_blksize),
                      .remedy = "give all nodes one version: " + std::to_string(bytes) +
                                " sealed bytes in plain pages are expected"});
  }
  void* at = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, memory.get(), 0);
  if (at == MAP_FAILED) return failed(kWhat, "mmap");
  Memory mapped(Fd(), static_cast<std::byte*>(at), bytes);
  if (ready > 0) (void)madvise(at, std::min(bytes, ready), MADV_POPULATE_READ);
  return mapped;
}

}  // namespace phalanx::transport::shm

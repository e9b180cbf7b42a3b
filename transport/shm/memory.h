#pragma once

#include <cstddef>
#include <utility>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"

namespace phalanx::transport::shm {

/// A piece of memory that one process writes and others read. Move-only.
class Memory {
 public:
  /// What is used of a node's frames while no peer is slow, with room to spare.
  static constexpr std::size_t kReadyBytes = 4U << 20;

  Memory() = default;
  Memory(Memory&& other) noexcept
      : fd_(std::move(other.fd_)),
        data_(std::exchange(other.data_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)) {}
  Memory& operator=(Memory&& other) noexcept;
  ~Memory();

  /// Of zeros. The first `ready` bytes are there already, so that touching them never waits for the
  /// kernel; the rest comes when it is touched. Sealed behind this mapping: no other one can write
  /// or change the size, whoever gets the descriptor.
  [[nodiscard]] static Expected<Memory, Error> create(const char* name, std::size_t bytes,
                                                      std::size_t ready);
  /// Another process's, to be read. Refused unless it has exactly `bytes` of plain pages and is
  /// sealed as create() does: a shorter file, or a huge page that is not there, would be SIGBUS in
  /// the middle of a turn.
  [[nodiscard]] static Expected<Memory, Error> map(Fd memory, std::size_t bytes, std::size_t ready);

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  /// Of created memory, to be passed on; -1 for another's.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  Memory(Fd fd, std::byte* data, std::size_t bytes) noexcept
      : fd_(std::move(fd)), data_(data), bytes_(bytes) {}

  Fd fd_;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace phalanx::transport::shm

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ipc/call/layout.h"
#include "ipc/include/phalanx/ipc_client.h"

namespace phalanx::call {

/// A reader of the server's broadcast log, mapped read-only. The dispatching thread's. The log may
/// be written over once the server has cut this client off: what was read counts only if it had not
/// by then, so that rubbish is told from a server that lies.
class BroadcastReader {
 public:
  BroadcastReader() = default;
  BroadcastReader(const BroadcastReader&) = delete;
  BroadcastReader& operator=(const BroadcastReader&) = delete;
  ~BroadcastReader() { unmap(); }

  /// `fd` is the log's memory, `page` the connection's. PHX_OK, PHX_VERSION, PHX_NO_MEMORY.
  [[nodiscard]] phx_status map(int fd, Page& page) noexcept;
  void unmap() noexcept;
  /// In a child of fork(): it is not there.
  void forget() noexcept;
  [[nodiscard]] bool is_mapped() const noexcept { return log_ != nullptr; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  /// Whether an event waits.
  [[nodiscard]] bool refresh(std::memory_order order) noexcept;
  /// Of what the last look found, not taken yet.
  [[nodiscard]] std::uint64_t known_bytes() const noexcept { return tail_ - head_; }
  /// The next events, in place, and how many: of what the last look found, or after a look of its
  /// own. PHX_OK, PHX_TRY_AGAIN (none, or evicted), PHX_BROKEN.
  [[nodiscard]] phx_status take(phx_ipc_event* events, std::size_t most,
                                std::size_t& count) noexcept;
  /// Whether the server may write over what was taken.
  [[nodiscard]] bool is_evicted() const noexcept;
  [[nodiscard]] bool release_is_due() const noexcept { return head_ - released_ >= bytes_ / 4; }
  /// Gives back what was taken. False: there was nothing.
  bool release(std::memory_order order) noexcept;
  /// Written, and not given back.
  [[nodiscard]] std::uint64_t queued_bytes() const noexcept;

 private:
  Page* page_ = nullptr;
  const BroadcastPage* log_ = nullptr;
  std::byte* data_ = nullptr;
  std::uint64_t bytes_ = 0;
  std::uint64_t head_ = 0, released_ = 0, tail_ = 0;
};

}  // namespace phalanx::call

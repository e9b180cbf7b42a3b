#include "ipc/call/client/call.h"

using namespace phalanx;
using namespace phalanx::call;

namespace {

constexpr std::uint64_t kAlignment = 64;

/// A value says which handle it is of (24 bits of its generation, 16 of its slot), which use of the
/// place (16) and which place (8).
std::uint64_t mark_of(const Handle& handle) noexcept {
  return (handle.value >> 32 & 0xffffff) << 40 | (handle.value & 0xffff) << 24;
}

/// Under the send lock, as all below. nullptr: PHX_WRONG_BUFFER.
Buffer* find(Handle& handle, phx_ipc_buffer value) noexcept {
  Buffer& buffer = handle.buffers[value & 0xff];
  const std::uint64_t expected =
      mark_of(handle) | std::uint64_t{buffer.generation} << 8 | (value & 0xff);
  return buffer.bytes > 0 && value == expected ? &buffer : nullptr;
}

bool is_over(const Handle& handle) noexcept {
  return handle.over.load(std::memory_order_acquire) != PHX_OK;
}

/// Whether the server may still read it. One that is gone does not.
bool in_use(Handle& handle, const Buffer& buffer) noexcept {
  if (buffer.sending) return true;
  if (is_over(handle)) return false;
  if (handle.requests.released_in_ring() < buffer.end) handle.requests.refresh();
  return handle.requests.released_in_ring() < buffer.end;
}

/// Whether [offset, offset + bytes) is inside the memory and touches no buffer.
bool is_free(const Handle& handle, std::uint64_t offset, std::uint64_t bytes) noexcept {
  if (bytes > handle.memory.geometry().buffer_bytes - offset) return false;
  for (const Buffer& other : handle.buffers) {
    if (other.bytes > 0 && offset < other.offset + other.bytes && other.offset < offset + bytes)
      return false;
  }
  return true;
}

/// The first piece that is large enough: at the start, or behind a buffer. False: none.
bool find_room(const Handle& handle, std::uint64_t bytes, std::uint64_t& offset) noexcept {
  offset = 0;
  if (is_free(handle, 0, bytes)) return true;
  for (const Buffer& before : handle.buffers) {
    offset = before.offset + before.bytes;
    if (before.bytes > 0 && is_free(handle, offset, bytes)) return true;
  }
  return false;
}

/// Marks a buffer as being sent for as long as it lives.
class Sending {
 public:
  Sending(const Reference& reference, phx_ipc_buffer value, std::size_t bytes) noexcept
      : slot_(reference.slot()) {
    const client::BiasedGuard guard(slot_.send);
    Buffer* buffer = find(reference.handle(), value);
    if (buffer == nullptr) return;
    if (bytes > buffer->bytes) {
      status_ = PHX_TOO_BIG;
    } else if (in_use(reference.handle(), *buffer)) {
      status_ = PHX_IN_USE;
    } else {
      status_ = PHX_OK;
      buffer_ = buffer;
      buffer_->sending = true;
      range_ = {.offset = buffer->offset, .bytes = bytes};
    }
  }
  ~Sending() {
    if (buffer_ == nullptr) return;
    const client::BiasedGuard guard(slot_.send);
    buffer_->sending = false;
    if (end_ != 0) buffer_->end = end_;
  }
  Sending(const Sending&) = delete;
  Sending& operator=(const Sending&) = delete;
  [[nodiscard]] phx_status status() const noexcept { return status_; }
  [[nodiscard]] const BufferRange& range() const noexcept { return range_; }
  [[nodiscard]] std::uint64_t& end() noexcept { return end_; }

 private:
  Slot& slot_;
  Buffer* buffer_ = nullptr;
  phx_status status_ = PHX_WRONG_BUFFER;
  BufferRange range_{};
  std::uint64_t end_ = 0;
};

}  // namespace

phx_status phx_ipc_buffer_alloc(phx_ipc_handle value, std::size_t bytes, phx_ipc_buffer* out,
                                void** data) {
  if (out == nullptr || data == nullptr || bytes == 0) return PHX_INVALID;
  const Reference reference(value);
  if (reference.status() != PHX_OK) return reference.status();
  Handle& handle = reference.handle();
  const client::BiasedGuard guard(reference.slot().send);
  if (is_over(handle)) return static_cast<phx_status>(handle.over.load(std::memory_order_acquire));
  if (bytes > handle.memory.geometry().buffer_bytes) return PHX_TOO_BIG;
  std::uint64_t place = 0;
  while (place < PHX_IPC_BUFFERS_MAX && handle.buffers[place].bytes > 0) ++place;
  if (place == PHX_IPC_BUFFERS_MAX) return PHX_LIMIT;
  const std::uint64_t taken = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  std::uint64_t offset = 0;
  if (!find_room(handle, taken, offset)) return PHX_NO_MEMORY;
  Buffer& buffer = handle.buffers[place];
  const auto generation = static_cast<std::uint16_t>(buffer.generation + 1);
  buffer = {.offset = offset, .bytes = taken, .end = 0, .generation = generation, .sending = false};
  *data = handle.memory.buffers() + offset;
  *out = mark_of(handle) | std::uint64_t{generation} << 8 | place;
  return PHX_OK;
}

phx_status phx_ipc_buffer_free(phx_ipc_handle value, phx_ipc_buffer which) {
  const Reference reference(value);
  if (reference.status() != PHX_OK) return reference.status();
  const client::BiasedGuard guard(reference.slot().send);
  Buffer* buffer = find(reference.handle(), which);
  if (buffer == nullptr) return PHX_WRONG_BUFFER;
  if (in_use(reference.handle(), *buffer)) return PHX_IN_USE;
  buffer->bytes = 0;
  return PHX_OK;
}

phx_status phx_ipc_buffer_call(phx_ipc_handle value, std::uint32_t id, phx_ipc_buffer which,
                               std::size_t bytes, void* reply, std::size_t reply_size,
                               std::size_t* reply_bytes, int timeout_ms) {
  if (reply == nullptr && reply_size > 0) return PHX_INVALID;
  const Reference reference(value);
  if (reference.status() != PHX_OK) return reference.status();
  Handle& handle = reference.handle();
  if (reply_size > handle.memory.geometry().message_bytes_max) return PHX_TOO_BIG;
  Sending sending(reference, which, bytes);
  if (sending.status() != PHX_OK) return sending.status();
  BufferRange range = sending.range();
  const iovec request{.iov_base = &range, .iov_len = sizeof range};
  const iovec into{.iov_base = reply, .iov_len = reply_size};
  Exchange what{.kind = RequestKind::BufferCall,
                .id = id,
                .request = &request,
                .request_parts = 1,
                .request_bytes = sizeof range,
                .reply = &into,
                .reply_parts = 1,
                .reply_bytes_max = reply_size};
  const phx_status status = exchange(reference.slot(), handle, what, timeout_ms);
  // With the answer the bytes are ours again; without one the server may be about to read them.
  if (status == PHX_TIMED_OUT) sending.end() = what.end;
  if (status == PHX_OK && reply_bytes != nullptr) *reply_bytes = what.reply_bytes;
  return status;
}

phx_status phx_ipc_buffer_post(phx_ipc_handle value, std::uint32_t id, phx_ipc_buffer which,
                               std::size_t bytes, int timeout_ms) {
  const Reference reference(value);
  if (reference.status() != PHX_OK) return reference.status();
  Sending sending(reference, which, bytes);
  if (sending.status() != PHX_OK) return sending.status();
  BufferRange range = sending.range();
  const iovec request{.iov_base = &range, .iov_len = sizeof range};
  const Exchange what{.kind = RequestKind::BufferPost,
                      .id = id,
                      .request = &request,
                      .request_parts = 1,
                      .request_bytes = sizeof range};
  return post(reference.slot(), reference.handle(), what, timeout_ms, &sending.end());
}

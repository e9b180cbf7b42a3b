#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "ipc/base/assert.h"
#include "ipc/shm/channel.h"

namespace {

using namespace phalanx::shm;

constexpr std::uint32_t kMessageBytesMost = 6'000;

/// The input drives a hostile client: each step is one byte of what to do and where, and up to 16
/// bytes to write there.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  [[nodiscard]] bool empty() const { return size_ == 0; }
  std::uint64_t take(std::size_t bytes) {
    std::uint64_t value = 0;
    const std::size_t taken = std::min(bytes, size_);
    std::memcpy(&value, data_, taken);
    data_ += taken;
    size_ -= taken;
    return value;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

void drive_worker(WorkerChannel& worker) {
  static std::vector<std::byte> copy(kMessageBytesMost);
  Submission s;
  for (int n = 0; n < 64 && worker.peek_submission(s); ++n) {
    PHX_CHECK(s.payload.size() <= copy.size());
    if (!s.payload.empty()) std::memcpy(copy.data(), s.payload.data(), s.payload.size());
    (void)worker.write_message({.group = s.group, .node = 1, .client = 1}, s.flags,
                               std::span(copy).first(s.payload.size()));
    worker.pop_submission();
  }
  (void)worker.release_submissions();
  (void)worker.publish_events();
  PHX_CHECK(worker.log_position(64, 4096) - 64 <= 4096 - 64);  // Of the shared log.
}

}  // namespace

// Whatever a client writes into the memory it shares, the worker's end only touches its rings.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto worker = WorkerChannel::create(
      {.submit_bytes = 4096, .delivery_bytes = 4096, .message_bytes_max = kMessageBytesMost});
  PHX_CHECK(worker.has_value());
  const auto& g = worker->geometry();
  const std::array<std::size_t, 2> bytes = {g.page_bytes + g.submit_bytes + g.delivery_bytes,
                                            g.submit_bulk_bytes + g.delivery_bulk_bytes};
  const std::array<int, 2> fds = {worker->memory_fd(), worker->bulk_fd()};
  std::array<std::byte*, 2> memory{};
  for (std::size_t i = 0; i < 2; ++i) {
    void* at = mmap(nullptr, bytes[i], PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], 0);
    PHX_CHECK(at != MAP_FAILED);
    memory[i] = static_cast<std::byte*>(at);
  }
  for (Input input(data, size); !input.empty();) {
    const std::uint64_t what = input.take(1);
    if (what % 4 == 0) {
      drive_worker(*worker);
      continue;
    }
    const std::size_t part = what % 4 == 1 ? 0 : what >> 7;
    const std::size_t offset = input.take(3) % (bytes[part] / 4) * 4;
    const std::uint64_t value = input.take(4);
    std::memcpy(memory[part] + offset, &value, 4);
  }
  drive_worker(*worker);
  for (std::size_t i = 0; i < 2; ++i) munmap(memory[i], bytes[i]);
  return 0;
}

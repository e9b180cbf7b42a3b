#include "tests/unit/transport_parts/frames.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "ipc/base/time_ns.h"

namespace phalanx::transport {

TemporaryDirectory::TemporaryDirectory() : path_("/tmp/phalanx-transport-XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) std::abort();
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Bytes frame_of(std::size_t number, std::size_t length) {
  Bytes out(length);
  for (std::size_t i = 0; i < length; ++i) out[i] = static_cast<std::byte>(number * 37 + i);
  return out;
}

void send(Transport& from, const std::vector<Bytes>& frames, const Destination& to, bool can_wait) {
  std::vector<TxFrame> lent(frames.size());
  lent.resize(from.tx_alloc(lent));
  for (std::size_t i = 0; i < lent.size(); ++i) {
    std::copy(frames[i].begin(), frames[i].end(), lent[i].bytes.begin());
    lent[i].length = frames[i].size();
    lent[i].to = to;
    lent[i].can_wait = can_wait;
  }
  from.tx_burst(lent);
}

std::vector<Bytes> receive(Transport& at) {
  std::vector<Bytes> out;
  std::vector<RxFrame> frames(32);
  const std::size_t got = at.rx_burst(frames);
  for (const RxFrame& frame : std::span(frames).first(got)) {
    out.emplace_back(frame.bytes.begin(), frame.bytes.end());
  }
  at.rx_release(std::span(frames).first(got));
  return out;
}

bool turn_until(const std::function<bool()>& done) {
  const TimeNs end = monotonic_now() + 10 * kSecond;
  while (!done()) {
    if (monotonic_now() > end) return false;
    sched_yield();
  }
  return true;
}

void echo(Transport& node) {
  for (;;) {
    const std::vector<Bytes> frames = receive(node);
    if (!frames.empty()) send(node, frames, {.kind = Destination::Kind::Everyone});
    if (frames.empty()) sched_yield();
    if (getppid() == 1) _exit(0);
  }
}

std::size_t kills() {
  const char* asked = std::getenv("PHX_TEST_KILLS");
  return asked == nullptr ? 4 : std::strtoul(asked, nullptr, 10);
}

}  // namespace phalanx::transport

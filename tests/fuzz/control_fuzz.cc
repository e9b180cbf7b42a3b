#include <algorithm>
#include <vector>

#include "ipc/base/assert.h"
#include "ipc/shm/control_channel.h"

// What the two daemons of a node tell each other. First byte: command or event. The rest: its
// bytes. What is taken encodes to the very bytes that it was read from.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phalanx::shm;
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
  std::vector<std::byte> again;
  if (data[0] % 2 == 0) {
    const auto command = decode_command(bytes);
    if (!command) return 0;
    encode(*command, again);
  } else {
    const auto event = decode_event(bytes);
    if (!event) return 0;
    encode(*event, again);
  }
  PHX_CHECK(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
  return 0;
}

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "ipc/base/assert.h"
#include "ipc/replica/replica.h"

// A member that says anything at any time: the replica neither reads past a message nor loses its
// place, and goes on to take its own operations.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phalanx;
  using namespace phalanx::replica;
  const Host host{
      .send = [](void*, const iovec*, std::size_t) { return true; },
      .snapshot = [](void*, Buffer&) { return true; },
      .restore = [](void*, std::span<const std::byte>, std::uint32_t, bool) { return true; },
      .apply = [](void*, const Operation&) { return std::int64_t{0}; },
      .merge = [](void*, const Operation&) { return true; },
      .answer = [](void*, std::uint64_t, Outcome, std::int64_t) {},
      .notice = [](void*, const Notice&) {}};
  Replica replica({.origin = 1, .message_bytes_max = 4096, .snapshot_bytes_max = 1 << 16}, host);
  const MemberId members[2] = {{1, 1}, {2, 1}};
  const bool alone = size > 0 && (data[0] & 1) != 0;
  const Joined joined[1] = {{.id = members[0]}};
  replica.on_node_view(1, true, 0);
  replica.on_group_view(members[0], std::span(members).first(alone ? 1 : 2), {}, joined, 0);
  if (alone) {
    const Joined other[1] = {{.id = members[1], .with_node = (data[0] & 2) != 0}};
    replica.on_group_view(members[0], members, {}, other, 0);
  }
  TimeNs now = 0;
  while (size > 2) {  // u8 from, u8 bytes, bytes: a body; kind is its first byte.
    const std::size_t bytes = std::min<std::size_t>(data[1], size - 2);
    std::byte message[kHeaderBytes + 256] = {};
    encode({.kind = static_cast<Kind>(data[0] % 16), .origin = 2, .number = data[0] / 16u},
           message);
    for (std::size_t i = 0; i < bytes; ++i)
      message[kHeaderBytes - 8 + i] = static_cast<std::byte>(data[2 + i]);
    const std::size_t length = kHeaderBytes - 8 + std::max<std::size_t>(bytes, 8);
    replica.on_message(members[data[0] & 1], {message, length}, now += 1'000'000);
    replica.on_time(now);
    replica.pump();
    data += 2 + bytes;
    size -= 2 + bytes;
  }
  return 0;
}

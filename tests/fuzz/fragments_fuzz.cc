#include <algorithm>

#include "ipc/base/assert.h"
#include "transport/wire/fragments.h"

// A run of fragments, each behind one byte of sender and one of length. Memory stays in its bound.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phalanx::wire;
  constexpr std::size_t kBytesMax = 4096;
  Reassembler reassembler(4, kBytesMax);
  auto rest = std::as_bytes(std::span(data, size));
  while (rest.size() > 2) {
    const auto sender = static_cast<phalanx::NodeId>(rest[0]) % 8 + 1;
    const auto length = std::min(static_cast<std::size_t>(rest[1]), rest.size() - 2);
    if (const auto fragment = decode_fragment(rest.subspan(2, length))) {
      const auto whole = reassembler.take({sender, {}}, *fragment);
      PHX_CHECK(!whole || whole->bytes.size() <= kBytesMax);
    }
    PHX_CHECK(reassembler.bytes_held() <= kBytesMax);
    rest = rest.subspan(2 + length);
  }
  return 0;
}

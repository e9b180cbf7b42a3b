#include <algorithm>
#include <array>

#include "ipc/base/assert.h"
#include "transport/wire/header.h"

// A header that is taken says everything its 32 bytes say.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phalanx::wire;
  const auto frame = std::as_bytes(std::span(data, size));
  const auto header = decode(frame);
  if (!header) return 0;
  std::array<std::byte, kHeaderBytes> again;
  encode(*header, again);
  PHX_CHECK(std::equal(again.begin(), again.end(), frame.begin()));
  return 0;
}

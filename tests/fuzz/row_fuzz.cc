#include <algorithm>
#include <array>

#include "dataplane/core/row.h"
#include "ipc/base/assert.h"

// Rows and NAKs that are taken encode to the bytes that they were read from.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phalanx::core;
  const auto bytes = std::as_bytes(std::span(data, size));
  Row row;
  if (decode_row(bytes, row)) {
    std::array<std::byte, kRowBytesMax> again;
    const std::size_t length = encode_row(row, again);
    PHX_CHECK(std::equal(bytes.begin(), bytes.end(), again.begin(), again.begin() + length));
  }
  Nak nak;
  if (decode_nak(bytes, nak)) {
    std::array<std::byte, kNakBytesMax> again;
    const std::size_t length = encode_nak(nak, again);
    PHX_CHECK(std::equal(bytes.begin(), bytes.end(), again.begin(), again.begin() + length));
  }
  return 0;
}

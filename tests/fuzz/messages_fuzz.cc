#include <algorithm>
#include <vector>

#include "ipc/base/assert.h"
#include "transport/wire/messages.h"

namespace {

using namespace phalanx::wire;

/// What is taken encodes to the very bytes that it was read from.
template <class T>
void expect_same(const std::optional<T>& message, std::span<const std::byte> bytes) {
  if (!message) return;
  std::vector<std::byte> again;
  encode(*message, again);
  PHX_CHECK(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
}

}  // namespace

// First byte: the kind. The rest: the message.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
  switch (data[0] % 6) {
    case 0:
      expect_same(decode_hello(bytes), bytes);
      break;
    case 1:
      expect_same(decode_prepare(bytes), bytes);
      break;
    case 2:
      expect_same(decode_refusal(bytes), bytes);
      break;
    case 3:
      expect_same(decode_report(bytes), bytes);
      break;
    case 4:
      expect_same(decode_plan(bytes), bytes);
      break;
    default:
      expect_same(decode_done(bytes), bytes);
      break;
  }
  return 0;
}

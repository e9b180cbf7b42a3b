#include <cstring>
#include <span>

#include "ipc/base/assert.h"
#include "ipc/shm/guard_protocol.h"

// A request is taken only whole, with a text that lies in it and is not too long.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phalanx::shm;
  const auto bytes = std::as_bytes(std::span(data, size));
  if (const auto name = read_guard_name(bytes)) {
    PHX_CHECK(name->size() == size && size >= 1 && size <= kGuardTextBytesMax);
  }
  if (const auto answer = read_guard_answer(bytes)) {
    PHX_CHECK(answer->head.agrees <= 1 && answer->reason.size() <= kGuardTextBytesMax);
    PHX_CHECK(sizeof(GuardAnswer) + answer->reason.size() == size);
  }
  return 0;
}

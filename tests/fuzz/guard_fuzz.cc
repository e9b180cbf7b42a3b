#include <cstring>
#include <span>

#include "ipc/base/assert.h"
#include "ipc/shm/guard_protocol.h"

// A word is taken only whole, of a known kind, and with a text that ends inside it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phalanx::shm;
  const auto word = read_guard_word(std::as_bytes(std::span(data, size)));
  if (!word) return 0;
  PHX_CHECK(size == sizeof(GuardWord) && word->magic == kGuardMagic);
  PHX_CHECK(word->kind >= GuardWordKind::Hello && word->kind <= GuardWordKind::Answer);
  PHX_CHECK(strnlen(word->text, sizeof word->text) < sizeof word->text);
  return 0;
}

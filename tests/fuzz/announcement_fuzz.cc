#include <cstring>

#include "ipc/base/assert.h"
#include "transport/verbs/announcement.h"

// A datagram that anybody may have sent: what is taken is whole and in range, and is the only way
// to write itself.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phalanx::transport::verbs;
  const auto got = decode({reinterpret_cast<const std::byte*>(data), size});
  if (!got) return 0;
  PHX_CHECK(size == kAnnouncementBytes);
  PHX_CHECK(got->node != 0 && got->queue_pair >= 2 && got->queue_pair < 0xffffff);
  PHX_CHECK(got->frame_bytes >= 1 && got->frame_bytes <= 4096);
  PHX_CHECK(got->lid == 0 || is_unicast_lid(got->lid));
  const auto again = encode(*got);
  PHX_CHECK(std::memcmp(again.data(), data, size) == 0);
  return 0;
}

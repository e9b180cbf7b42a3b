#include "tests/sim/forger.h"

#include "transport/wire/header.h"

namespace phalanx::sim {

void forge(std::span<std::byte> frame, transport::Random& random) {
  auto header = wire::decode(frame);
  if (!header) return;
  header->counter += random.range(1, 20'000);
  if (header->type != wire::FrameType::Control) {
    const Position shift = 8 * random.below(frame.size() / 8 + 1);
    header->position += random.percent(50) ? shift : 0 - shift;
  }
  wire::encode(*header, frame.first<wire::kHeaderBytes>());
  if (random.percent(30)) return;  // The bytes are right, and in the wrong place.
  for (std::byte& byte : frame.subspan(wire::kHeaderBytes)) {
    if (random.percent(50)) byte ^= std::byte{0x5A};
  }
}

}  // namespace phalanx::sim

#include <cstring>
#include <vector>

#include "ipc/base/assert.h"
#include "ipc/recorder/reader.h"
#include "tests/fuzz/input.h"

using namespace phalanx;
using namespace phalanx::recorder;

// A file that starts sound and is then scribbled on and cut: what is decoded is in order, was
// checked, and lies in its place; nothing is read outside.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  constexpr std::size_t kSlots = 64;
  std::vector<std::byte> file(kHeaderBytes + kSlots * sizeof(Event));
  FileHeader header{.magic = kMagic, .version = kVersion, .slots = kSlots, .node_count = 3};
  header.slots = in.flip() ? kSlots : static_cast<std::uint32_t>(in.number(kSlots));
  header.node_count = static_cast<std::uint32_t>(in.choose(80));
  for (Anchor* anchor : {&header.first, &header.last[0], &header.last[1]}) {
    *anchor = {.ticks = in.number(), .monotonic = in.number(), .wall_ns = in.number()};
    anchor->check = check_of(*anchor);
  }
  header.check = check_of(header);
  std::memcpy(file.data(), &header, sizeof header);
  const std::uint64_t first = in.number(1);
  for (std::uint64_t i = 0; i < kSlots; ++i) {
    Event event{.number = first + i,
                .ticks = i % 8 == 0 ? in.number() : first,
                .kind = static_cast<Kind>(in.choose(100)),
                .a = first};
    event.check = check_of(event);
    std::memcpy(file.data() + kHeaderBytes + (event.number - 1) % kSlots * sizeof event, &event,
                sizeof event);
  }
  while (!in.empty()) {
    const std::size_t at = in.take(2) % file.size();
    const auto bytes = in.bytes(1 + in.choose(16));
    std::memcpy(file.data() + at, bytes.data(), std::min(bytes.size(), file.size() - at));
    if (in.choose(8) == 0) file.resize(in.take(2) % (file.size() + 1));
    if (file.empty()) break;
  }

  const Ring ring = decode(file, in.number());
  PHX_CHECK(ring.events.size() + ring.spoilt <= file.size() / sizeof(Event));
  std::uint64_t before = 0;
  for (const Event& event : ring.events) {
    PHX_CHECK(event.number >= before && event.check == check_of(event));
    before = event.number;
    (void)ring.clock.wall_of(event.ticks);
    (void)info_of(event.kind);
    PHX_CHECK(ring.nodes_of(event.a).size() <= kNodesMax);
  }
  (void)ring.writer();
  return 0;
}

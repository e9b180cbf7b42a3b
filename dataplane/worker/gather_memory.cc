#include "dataplane/worker/gather_memory.h"

#include "ipc/base/assert.h"

namespace phalanx::worker {

GatherMemory::GatherMemory(const core::LaneShare& share, std::span<const core::LaneMemory> lanes)
    : rings_(share.lanes) {
  PHX_CHECK(share.is_sound() && lanes.size() == share.count());
  const core::LaneMemory* memory = lanes.data();
  for (LaneId id = share.first; id < share.lanes; id += share.step, ++memory) {
    rings_[id] = {{memory->log.data, memory->log.bytes},
                  {memory->stream.data, memory->stream.bytes}};
  }
}

Expected<bool, Error> GatherMemory::lend_to(transport::Transport& transport) const {
  std::vector<Bytes> all;
  for (const Rings& rings : rings_) {
    if (rings.log.empty()) continue;
    all.push_back(rings.log);
    all.push_back(rings.stream);
  }
  return transport.lend_memory(all);
}

}  // namespace phalanx::worker

#include "tests/sim/taped.h"

#include <span>
#include <string>

#include "dataplane/tape/core_replay.h"
#include "ipc/base/assert.h"
#include "tests/sim/checkers/violation.h"

namespace phalanx::sim {

Taped::Taped(bool on, const core::CoreConfig& config, std::size_t nodes)
    : on_(on), config_(config), nodes_(nodes) {
  renew();
}

void Taped::renew() {
  if (!on_) return;
  const std::size_t bytes = tape::kTapeLayout.bytes();
  memory_.reset(static_cast<std::byte*>(std::calloc(1, bytes)));
  PHX_CHECK(memory_ != nullptr);
  tape_ = tape::CoreTape({memory_.get(), bytes}, config_, nodes_, tape::CoreTape::kNoBudget);
}

void Taped::check(const core::Core& core, TimeNs now) {
  if (!on_) return;
  const tape::CoreReplay result = tape::replay({memory_.get(), tape::kTapeLayout.bytes()});
  if (result.differs) violated("G11 replay", result.difference);
  if (result.images == 0 || result.spoilt != 0) {
    violated("G11 replay", std::to_string(result.installs) + " installs, " +
                               std::to_string(result.images) + " images, " +
                               std::to_string(result.spoilt) + " spoilt in " +
                               std::to_string(result.steps) + " steps");
  }
  renew();
  tape_.consider(core, now);
}

}  // namespace phalanx::sim

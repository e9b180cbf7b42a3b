// The maps of a Daemon: what is in them, and when it changes.

#include <nlohmann/json.hpp>
#include <utility>

#include "controlplane/daemon/daemon.h"
#include "controlplane/daemon/map_keys.h"

namespace phalanx::controlplane {
namespace {

/// How long a data plane may take to name its groups before the rest is told without them.
constexpr TimeNs kGroupsLimit = 200 * kMillisecond;

}  // namespace

void Daemon::open_map(Fd listener, MapMemory memory) {
  map_.emplace(loop_, std::move(listener), acl_, std::move(memory),
               [this](MapServer::Computed done) { compute_statistics(std::move(done)); });
  publish_config(map_->store(), config_);
  publish_view(map_->store(), config_, nullptr);
}

void Daemon::show_view(const ViewChange* change) {
  publish_view(map_->store(), config_, change);
  map_->changed();
}

void Daemon::compute_statistics(MapServer::Computed done) {
  statistics_wanted_ = std::move(done);
  statistics_limit_.arm(monotonic_now() + kGroupsLimit);
  ask_for_groups([this](const nlohmann::json& answer) {
    answer_statistics(answer.value("groups", nlohmann::json()));
  });
}

/// The first answer counts: of the data plane, or of the time limit, or that there is none to ask.
void Daemon::answer_statistics(const nlohmann::json& groups) {
  const MapServer::Computed done = std::exchange(statistics_wanted_, nullptr);
  if (!done) return;
  statistics_limit_.disarm();
  map::Statistics statistics = statistics_of(status(), groups);
  map_->add_statistics(statistics);
  done(statistics);
}

}  // namespace phalanx::controlplane

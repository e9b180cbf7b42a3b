#include "config/diff.h"

#include "config/schema.h"

namespace phalanx::config {

Changes diff(const Config& running, const Config& wanted) {
  Changes changes;
  for (const Key& key : schema()) {
    if (key.read(running) == key.read(wanted)) continue;
    (key.reloadable ? changes.live : changes.restart).emplace_back(key.name);
  }
  if (running.lane.groups != wanted.lane.groups) changes.restart.emplace_back(kLaneGroups);
  if (running.cluster.nodes != wanted.cluster.nodes) changes.restart.emplace_back("cluster.nodes");
  return changes;
}

void take_live(Config& running, const Config& wanted) {
  for (const Key& key : schema()) {
    if (key.reloadable) key.store(running, key.read(wanted));
  }
}

}  // namespace phalanx::config

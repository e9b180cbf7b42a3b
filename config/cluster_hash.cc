#include <string>

#include "config/config.h"
#include "config/schema.h"

namespace phalanx::config {

namespace {

// FNV-1a over "key=value\n" of every key that must be equal, in the order of the schema, then the
// nodes. Differences are accidents, not attacks: the cluster key keeps strangers out.
std::uint64_t hash_of(const Config& config, bool reloadable) {
  std::string text;
  for (const Key& key : schema()) {
    if (!key.cluster_part || (key.reloadable && !reloadable)) continue;
    // Where there is none it is as before there could be one.
    if (!config.quorum.device && key.name.starts_with("quorum.device.")) continue;
    if (config.worker.count == 1 && key.name == "worker.count") continue;
    if (config.transport.kind != TransportKind::Verbs && key.name.starts_with("transport.verbs.")) {
      continue;
    }
    if (!config.transport.second.enabled && key.name.starts_with("transport.second.")) continue;
    text += std::string(key.name) + "=" + format_toml(key.kind, key.read(config)) + "\n";
  }
  for (const GroupLane& group : config.lane.groups) {
    text += "group=" + in_quotes(group.name) + " " + std::to_string(group.lane) + "\n";
  }
  for (const ClusterNode& node : config.cluster.nodes) {
    text += "node=" + std::to_string(node.id) + " " + to_string(node.address) + " " +
            (node.management ? to_string(*node.management) : std::string("-")) + " " +
            std::to_string(node.votes) +
            (config.transport.second.enabled && node.second ? " " + to_string(*node.second) : "") +
            "\n";
  }
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  return hash != 0 ? hash : 1;
}

}  // namespace

std::uint64_t cluster_hash(const Config& config) { return hash_of(config, false); }

std::uint64_t reload_hash(const Config& config) { return hash_of(config, true); }

}  // namespace phalanx::config

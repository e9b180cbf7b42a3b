#include "controlplane/daemon/map_keys.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "config/schema.h"
#include "controlplane/daemon/log.h"

namespace phalanx::controlplane {
namespace {

using map::MapStatus;
using map::MapType;

/// The daemon's own keys, a call each. What cannot be is logged: an application may have filled
/// the map.
class Publisher {
 public:
  explicit Publisher(map::Store& store) : store_(store) {}

  template <class T>
  void number(const std::string& key, MapType type, T value) {
    put(key, type, std::as_bytes(std::span(&value, 1)));
  }
  void text(const std::string& key, const std::string& value) {
    put(key, MapType::String, std::as_bytes(std::span(value.c_str(), value.size() + 1)));
  }

 private:
  void put(const std::string& key, MapType type, std::span<const std::byte> value) {
    const MapStatus status = store_.publish(key, type, value);
    if (status == MapStatus::Ok) return;
    log("map").warn("key not published key={} status={} -> next: phalanx map list", key,
                    static_cast<int>(status));
  }

  map::Store& store_;
};

void publish_key(Publisher& publish, const config::Key& key, const config::Config& config) {
  const config::Value value = key.read(config);
  const std::string name(key.name);
  switch (key.kind) {
    case config::Kind::Integer:
    case config::Kind::Size:
    case config::Kind::Duration:
      return publish.number(name, MapType::I64, value.number);
    case config::Kind::Choice:
    case config::Kind::Name:
    case config::Kind::Path:
    case config::Kind::Address:
    case config::Kind::Text:
      return publish.text(name, value.text);
    case config::Kind::Ids:
      for (std::size_t i = 0; i < value.ids.size(); ++i) {
        publish.number(name + "." + std::to_string(i), MapType::U32, value.ids[i]);
      }
      return;
  }
}

}  // namespace

void publish_config(map::Store& store, const config::Config& config) {
  Publisher publish(store);
  for (const config::Key& key : config::schema()) {
    store.reserve(key.name.substr(0, key.name.find('.') + 1));
    publish_key(publish, key, config);
  }
  store.reserve("runtime.");
  store.reserve("stats.");
  for (std::size_t i = 0; i < config.cluster.nodes.size(); ++i) {
    const config::ClusterNode& node = config.cluster.nodes[i];
    const std::string prefix = "cluster.nodes." + std::to_string(i) + ".";
    publish.number(prefix + "id", MapType::U32, node.id);
    publish.text(prefix + "name", node.name);
    publish.text(prefix + "address", config::to_string(node.address));
    if (node.management) publish.text(prefix + "management", config::to_string(*node.management));
    publish.number(prefix + "votes", MapType::U32, node.votes);
  }
  // A name may hold what no key of the map may.
  for (std::size_t i = 0; i < config.lane.groups.size(); ++i) {
    const std::string prefix = "lane.groups." + std::to_string(i) + ".";
    publish.text(prefix + "name", config.lane.groups[i].name);
    publish.number(prefix + "lane", MapType::U32, config.lane.groups[i].lane);
  }
  publish.text("runtime.version", PHALANX_RELEASE);
  publish.number("runtime.node", MapType::U32, config.node.id);
  publish.text("runtime.instance", config.node.instance);
}

void publish_view(map::Store& store, const config::Config& config, const ViewChange* change) {
  Publisher publish(store);
  for (const config::ClusterNode& node : config.cluster.nodes) {
    const auto is_it = [&](const Member& member) { return member.node == node.id; };
    const bool in = change != nullptr && std::ranges::any_of(change->members, is_it);
    const std::string prefix = "runtime.members." + std::to_string(node.id) + ".";
    publish.text(prefix + "status", in ? "joined" : "left");
  }
  const ViewId view = change == nullptr ? ViewId{} : change->view;
  publish.number("runtime.view.sequence", MapType::U64, view.sequence);
  publish.number("runtime.view.representative", MapType::U32, view.representative);
  const bool quorate = change != nullptr && change->quorum.quorate;
  publish.number("runtime.quorate", MapType::U8, quorate ? std::uint8_t{1} : std::uint8_t{0});
}

}  // namespace phalanx::controlplane

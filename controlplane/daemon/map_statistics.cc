#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "controlplane/daemon/map_keys.h"

namespace phalanx::controlplane {
namespace {

using map::MapType;
using map::Statistic;
using nlohmann::json;

template <class T>
Statistic number(MapType type, T value) {
  Statistic out{.type = type, .value = std::vector<std::byte>(sizeof value)};
  std::memcpy(out.value.data(), &value, sizeof value);
  return out;
}

/// Text that is none (a group's name may have any bytes) is left out.
void put(map::Statistics& to, const std::string& key, const json& value) {
  if (value.is_boolean()) {
    to[key] = number(MapType::U8, value.get<bool>() ? std::uint8_t{1} : std::uint8_t{0});
  } else if (value.is_number_float()) {
    to[key] = number(MapType::Double, value.get<double>());
  } else if (value.is_number()) {
    to[key] = number(MapType::U64, value.get<std::uint64_t>());
  } else if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const auto bytes = std::as_bytes(std::span(text.c_str(), text.size() + 1));
    if (shm::check_map_value(MapType::String, bytes) != map::MapStatus::Ok) return;
    to[key] = {.type = MapType::String, .value = {bytes.begin(), bytes.end()}};
  }
}

/// Each of the object's own values; lists and objects in it are not its own.
void put_all(map::Statistics& to, const std::string& prefix, const json& object) {
  if (!object.is_object()) return;
  for (const auto& [name, value] : object.items()) put(to, prefix + name, value);
}

void put_list(map::Statistics& to, const std::string& prefix, const json& list, const char* by) {
  if (!list.is_array()) return;
  for (const json& one : list) {
    const json& name = one.at(by);
    put_all(to, prefix + (name.is_string() ? name.get<std::string>() : name.dump()) + ".", one);
  }
}

void put_groups(map::Statistics& to, const json& groups, std::uint64_t own_node) {
  if (!groups.is_array()) return;
  for (const json& group : groups) {
    const std::string prefix = "stats.group." + group.at("id").get<std::string>() + ".";
    put(to, prefix + "name", group.at("name"));
    put(to, prefix + "members", group.at("members").size());
    for (const json& member : group.at("members")) {
      if (member.at("node") != own_node) continue;
      const std::string client = "stats.client." + member.at("client").dump() + ".";
      put(to, client + "pid", member.at("pid"));
      const auto joined = to.find(client + "groups");
      std::uint64_t count = 0;
      if (joined != to.end()) std::memcpy(&count, joined->second.value.data(), sizeof count);
      put(to, client + "groups", count + 1);
    }
  }
}

}  // namespace

map::Statistics statistics_of(const json& status, const json& groups) {
  map::Statistics out;
  const auto part = [&](const char* name) { return status.value(name, json()); };
  for (const char* name : {"state", "config_hash", "configured", "encrypted"}) {
    put(out, std::string("stats.node.") + name, part(name));
  }
  put_all(out, "stats.view.", part("view"));
  put_all(out, "stats.quorum.", part("quorum"));
  put_all(out, "stats.dataplane.", part("dataplane"));
  put_all(out, "stats.link.", part("link"));
  put_all(out, "stats.transport.", part("transport"));
  put_list(out, "stats.lane.", part("lanes"), "lane");
  put_list(out, "stats.peer.", part("peers"), "node");
  put_list(out, "stats.rejected.", part("rejections"), "node");
  put_all(out, "stats.worker.0.", part("counters"));
  put(out, "stats.clients", part("clients"));
  put(out, "stats.groups", part("groups"));
  put_groups(out, groups, status.value("node", std::uint64_t{0}));
  return out;
}

}  // namespace phalanx::controlplane

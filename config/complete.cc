#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <vector>

#include "config/draft.h"
#include "config/value.h"

namespace phalanx::config {
namespace {

std::string known_nodes(const Draft& draft) {
  std::string out;
  for (const ClusterNode& node : draft.config.cluster.nodes) {
    out += (out.empty() ? "" : ", ") + std::to_string(node.id) + " (" + node.name + ")";
  }
  return out;
}

/// No two entries may share an id, a name or an address.
void check_distinct(Draft& draft) {
  const auto& nodes = draft.config.cluster.nodes;
  std::map<std::string, std::size_t> seen;
  const auto once = [&](std::size_t index, std::string_view key, const std::string& value) {
    const auto [first, fresh] = seen.emplace(std::string(key) + " " + value, index);
    if (fresh) return;
    const Place other = draft.place({entry(first->second, key), entry(first->second)});
    draft.error(draft.place({entry(index, key), entry(index)}),
                "two nodes have the " + std::string(key) + " " + value,
                "another " + std::string(key) + " for each node",
                "the other one is at line " + std::to_string(other.line));
  };
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const ClusterNode& node = nodes[i];
    if (node.id != 0) once(i, "id", std::to_string(node.id));
    if (!node.name.empty()) once(i, "name", node.name);
    if (node.address.port != 0) once(i, "address", to_string(node.address));
    if (node.management) once(i, "address", to_string(*node.management));
    if (node.second) once(i, "address", to_string(*node.second));
  }
}

/// The addresses of all nodes on one network of the data path, and its multicast group.
struct DataNetwork {
  std::string_view address_key;
  std::optional<Endpoint> (*address)(const ClusterNode& node);
  std::string_view group_key;
  const std::optional<Endpoint>& group;
};

void check_network(Draft& draft, const DataNetwork& network) {
  const auto& nodes = draft.config.cluster.nodes;
  std::optional<bool> ipv6;  // What the first address is of.
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::optional<Endpoint> address = network.address(nodes[i]);
    if (!address || address->port == 0) continue;
    const Place place = draft.place({entry(i, network.address_key)});
    const std::string what = "cluster.nodes." + std::string(network.address_key) + " = \"" +
                             to_string(*address) + "\" is ";
    if (is_multicast(*address) || is_wildcard(*address)) {
      draft.error(place, what + "no host's address",
                  "the address of one host, as its peers reach it",
                  "`ip address` on that host shows what it has");
    }
    if (!ipv6) ipv6 = address->is_ipv6;
    if (address->is_ipv6 != *ipv6) {
      draft.error(place, what + "of another family",
                  "all addresses of the data path IPv4, or all IPv6",
                  "give every node an address of one family");
    }
  }
  if (!network.group) return;
  const Place place = draft.place({network.group_key});
  const std::string key(network.group_key);
  if (!is_multicast(*network.group)) {
    draft.error(place, key + " = \"" + to_string(*network.group) + "\" is no multicast group",
                "239.0.0.0 to 239.255.255.255, or ff00::/8", "\"\" sends one copy a peer");
  } else if (ipv6 && network.group->is_ipv6 != *ipv6) {
    draft.error(place, key + " is of another family than the nodes' addresses",
                "IPv4 with IPv4, IPv6 with IPv6",
                "take a group of the nodes' family; \"\" sends one copy a peer");
  }
}

void check_addresses(Draft& draft) {
  const TransportSection& transport = draft.config.transport;
  check_network(draft,
                {.address_key = "address",
                 .address = [](const ClusterNode& node) { return std::optional(node.address); },
                 .group_key = "transport.multicast",
                 .group = transport.multicast});
  check_network(draft, {.address_key = "second",
                        .address = [](const ClusterNode& node) { return node.second; },
                        .group_key = "transport.second.multicast",
                        .group = transport.second.multicast});
}

/// node.id, or the entry whose name is the instance.
const ClusterNode* find_self(const LoadOptions& options, Draft& draft) {
  const auto& nodes = draft.config.cluster.nodes;
  const auto named = [&](const std::string& name) {
    const auto found = std::ranges::find(nodes, name, &ClusterNode::name);
    return found == nodes.end() ? nullptr : &*found;
  };
  const std::string& instance = draft.config.node.instance;
  if (const NodeId id = draft.config.node.id; id != 0) {
    const auto found = std::ranges::find(nodes, id, &ClusterNode::id);
    if (found == nodes.end()) {
      draft.error(
          draft.place({"node.id"}), "node.id = " + std::to_string(id) + " is not in cluster.nodes",
          known_nodes(draft),
          "add a [[cluster.nodes]] entry with id = " + std::to_string(id) + ", or mend node.id");
      return nullptr;
    }
    const ClusterNode* other = options.instance.empty() ? nullptr : named(options.instance);
    if (other != nullptr && other->id != id) {
      draft.error(draft.place({"node.id"}),
                  "node.id = " + std::to_string(id) + " but --instance " + options.instance +
                      " is the name of node " + std::to_string(other->id),
                  "one of the two", "take node.id out of a file that several nodes share");
      return nullptr;
    }
    return &*found;
  }
  if (const ClusterNode* self = named(instance)) return self;
  if (options.any_node && options.instance.empty()) return &nodes.front();
  const bool asked = !options.instance.empty() || draft.has("node.instance");
  draft.error(draft.place({"node.instance", "node.id"}),
              asked ? "no entry of cluster.nodes has the name " + instance
                    : "nothing says which node this is",
              known_nodes(draft), "set node.id, or give --instance NAME");
  return nullptr;
}

std::string default_state_directory() {
  if (geteuid() == 0) return "/var/lib/phalanx";
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/') {
    return std::string(state) + "/phalanx";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') {
    return std::string(home) + "/.local/state/phalanx";
  }
  return "/tmp/phalanx-" + std::to_string(geteuid()) + "/state";
}

/// $PHX_RUNTIME_DIR wins over the file: a test or a demo moves the sockets without a new file.
void resolve_directories(Draft& draft) {
  NodeSection& node = draft.config.node;
  const char* forced = std::getenv("PHX_RUNTIME_DIR");
  if (node.runtime_directory.empty() || (forced != nullptr && *forced != '\0')) {
    node.runtime_directory = default_runtime_directory();
  }
  if (node.state_directory.empty()) node.state_directory = default_state_directory();
  constexpr std::size_t kSocketPathMax = 107;  // sun_path without its terminator.
  const std::string longest = instance_directory(draft.config) + "/dataplane.sock";
  if (longest.size() > kSocketPathMax) {
    draft.error(draft.place({"node.runtime_directory", "node.instance"}),
                "the socket path " + longest + " is longer than a Unix socket's name may be",
                "at most " + std::to_string(kSocketPathMax) + " bytes",
                "use a shorter runtime directory or instance name");
  }
}

}  // namespace

void complete(const LoadOptions& options, Draft& draft) {
  Config& config = draft.config;
  if (!options.instance.empty()) config.node.instance = options.instance;
  if (!is_name(config.node.instance)) {
    draft.error({}, "--instance " + config.node.instance + " is not a name",
                "1 to 63 letters, digits, '-', '_' and '.', the first a letter or digit",
                "give the name of an entry of cluster.nodes");
  }
  resolve_directories(draft);
  if (config.cluster.nodes.empty()) {
    if (!draft.has("cluster.nodes")) {
      draft.error({}, "cluster.nodes is missing", "a [[cluster.nodes]] table for each node",
                  "phalanx config init prints a file to start from");
    }
    return;
  }
  if (config.cluster.nodes.size() > kNodesMax) {
    draft.error(draft.place({"cluster.nodes"}),
                "cluster.nodes holds " + std::to_string(config.cluster.nodes.size()) + " nodes",
                "at most " + std::to_string(kNodesMax), "take entries out");
  }
  check_distinct(draft);
  check_addresses(draft);
  check_second(draft);
  if (const ClusterNode* self = find_self(options, draft)) {
    config.node.id = self->id;
    config.node.name = self->name;
    config.node.address = self->address;
    config.node.second = self->second;
    if (!config.node.management) config.node.management = self->management;
  }
  std::ranges::sort(config.cluster.nodes, {}, &ClusterNode::id);
}

std::string default_runtime_directory() {
  if (const char* forced = std::getenv("PHX_RUNTIME_DIR"); forced != nullptr && *forced != '\0') {
    return forced;
  }
  if (geteuid() == 0) return "/run/phalanx";
  if (const char* run = std::getenv("XDG_RUNTIME_DIR"); run != nullptr && *run == '/') {
    return std::string(run) + "/phalanx";
  }
  return "/tmp/phalanx-" + std::to_string(geteuid());
}

std::string instance_directory(const Config& config) {
  return config.node.runtime_directory + "/" + config.node.instance;
}

}  // namespace phalanx::config

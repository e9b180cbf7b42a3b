#include "config/explain.h"

#include <algorithm>
#include <span>

#include "config/schema.h"

namespace phalanx::config {
namespace {

constexpr std::size_t kColumns = 92;

/// Words of `text` in lines that begin with `prefix`.
std::string wrapped(std::string_view text, std::string_view prefix) {
  std::string out;
  std::string line;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    if (!line.empty() && prefix.size() + line.size() + 1 + word.size() > kColumns) {
      out += std::string(prefix) + line + "\n";
      line.clear();
    }
    if (!line.empty()) line += ' ';
    line += word;
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return out + std::string(prefix) + line + "\n";
}

std::string explain_key(const Key& key) {
  return std::string(key.name) + ": " + std::string(kind_text(key.kind)) + "\n" +
         wrapped(key.text, "  ") + "  allowed: " + allowed_text(key) +
         "\n  default: " + default_text(key) +
         "\n  scope:   " + (key.cluster_part ? "equal on all nodes" : "this node") +
         (key.reloadable ? ", taken over by a reload\n" : ", read at start\n");
}

std::string explain_lane_groups() {
  return std::string(kLaneGroups) + ": a table, the names of groups and their lanes\n" +
         wrapped(lane_groups_text(), "  ") + "  allowed: " + lane_groups_allowed() +
         "\n  default: none\n  scope:   equal on all nodes, read at start\n";
}

/// Of a map, each group on a line.
std::string lane_groups_table(std::span<const GroupLane> groups) {
  std::string out = "[" + std::string(kLaneGroups) + "]\n";
  for (const GroupLane& group : groups) {
    out += in_quotes(group.name) + " = " + std::to_string(group.lane) + "\n";
  }
  return out;
}

std::string explain_nodes() {
  std::string out =
      "cluster.nodes: a table for each node, [[cluster.nodes]], the same on all nodes\n";
  for (const NodeKey& key : node_schema()) {
    out += "  " + std::string(key.name) + (key.required ? " (required)" : "") + "\n" +
           wrapped(key.text, "    ") + "    allowed: " + std::string(key.allowed) + "\n";
  }
  return out;
}

bool selected(std::string_view key, std::string_view name) {
  return name.empty() || key == name ||
         (key.size() > name.size() && key.starts_with(name) && key[name.size()] == '.');
}

}  // namespace

std::string explain(std::string_view name) {
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? "" : "\n") + text; };
  for (const Key& key : schema()) {
    if (selected(key.name, name)) add(explain_key(key));
  }
  if (selected(kLaneGroups, name)) add(explain_lane_groups());
  if (selected("cluster.nodes", name)) add(explain_nodes());
  return out;
}

std::string sample_file() {
  std::string out =
      "# Phalanx configuration. Every key is shown at its default; `phalanx config explain KEY`\n"
      "# says more, `phalanx config check FILE` checks an edited file.\n";
  std::string_view table;
  for (const Key& key : schema()) {
    const std::string_view in = key.name.substr(0, key.name.find('.'));
    if (in != table) {
      out += "\n[" + std::string(in) + "]\n";
      table = in;
    }
    out += wrapped(key.text, "# ") + "# Allowed: " + allowed_text(key) + ".\n";
    const std::string value = key.name == "node.id" ? "1" : default_text(key);
    out += std::string(key.name.substr(in.size() + 1)) + " = " + value + "\n";
  }
  out += "\n" + wrapped(lane_groups_text(), "# ") + "# Allowed: " + lane_groups_allowed() +
         ".\n# [lane.groups]\n# \"orders\" = 0\n";
  return out +
         "\n# One entry for each node, the same on all of them.\n"
         "[[cluster.nodes]]\nid = 1\nname = \"n1\"\naddress = \"127.0.0.1:5405\"\n"
         "# management = \"127.0.0.1:5406\"\n"
         "# second = \"127.0.0.2:5405\"\n";
}

std::string show(const Config& config) {
  std::string out;
  std::string_view table;
  for (const Key& key : schema()) {
    const std::string_view in = key.name.substr(0, key.name.find('.'));
    if (in != table) {
      out += std::string(out.empty() ? "" : "\n") + "[" + std::string(in) + "]\n";
      table = in;
    }
    out += std::string(key.name.substr(in.size() + 1)) + " = " +
           format_toml(key.kind, key.read(config)) + "\n";
  }
  if (!config.lane.groups.empty()) out += "\n" + lane_groups_table(config.lane.groups);
  for (const ClusterNode& node : config.cluster.nodes) {
    out += "\n[[cluster.nodes]]\nid = " + std::to_string(node.id) + "\nname = \"" + node.name +
           "\"\naddress = \"" + to_string(node.address) + "\"\n";
    if (node.second) out += "second = \"" + to_string(*node.second) + "\"\n";
    if (node.management) out += "management = \"" + to_string(*node.management) + "\"\n";
    if (node.votes != 1) out += "votes = " + std::to_string(node.votes) + "\n";
  }
  return out;
}

}  // namespace phalanx::config

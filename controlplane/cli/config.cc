#include "config/config.h"

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "config/explain.h"
#include "config/load.h"
#include "config/schema.h"
#include "config/suggest.h"
#include "controlplane/cli/arguments.h"
#include "controlplane/cli/output.h"
#include "controlplane/cli/program.h"
#include "transport/wire/keys.h"

namespace phalanx::cli {
namespace {

using nlohmann::json;

std::string hex(std::uint64_t hash) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

struct FileChoice {
  std::string file;  ///< Positional.
  bool skip_key = false;
};

std::string file_of(const FileChoice& choice, const Globals& globals) {
  if (!choice.file.empty()) return choice.file;
  return config_file(globals);
}

ExitCode check(const FileChoice& choice, const Globals& globals) {
  const auto loaded = config::load(
      file_of(choice, globals),
      {.instance = globals.instance, .check_key_file = !choice.skip_key, .any_node = true});
  if (!loaded) return report_errors(loaded.error(), globals);
  // What is in the key file is the daemons' to read; they would refuse what is refused here.
  if (!choice.skip_key && !loaded->cluster.insecure) {
    const auto key = wire::load_cluster_key(loaded->cluster.key_file);
    if (!key) return report(key.error(), globals);
  }
  const std::string hash = hex(cluster_hash(*loaded));
  if (globals.json) {
    const json out = {{"version", 1},
                      {"ok", true},
                      {"file", loaded->file},
                      {"nodes", loaded->cluster.nodes.size()},
                      {"cluster_hash", hash}};
    std::printf("%s\n", out.dump().c_str());
  } else {
    std::printf("%s %s: %zu nodes, cluster hash %s\n", painted("fine", Tone::Good).c_str(),
                loaded->file.c_str(), loaded->cluster.nodes.size(), hash.c_str());
  }
  return ExitCode::Fine;
}

ExitCode show(const FileChoice& choice, const Globals& globals) {
  const auto loaded =
      config::load(file_of(choice, globals),
                   {.instance = globals.instance, .check_key_file = false, .any_node = true});
  if (!loaded) return report_errors(loaded.error(), globals);
  if (!globals.json) {
    std::fputs(config::show(*loaded).c_str(), stdout);
    return ExitCode::Fine;
  }
  json keys = json::object();
  for (const config::Key& key : config::schema()) {
    const config::Value value = key.read(*loaded);
    const bool number = key.kind == config::Kind::Integer;
    std::string text = format_toml(key.kind, value);
    if (text.size() >= 2 && text.front() == '"') text = text.substr(1, text.size() - 2);
    if (number)
      keys[std::string(key.name)] = value.number;
    else if (key.kind == config::Kind::Ids)
      keys[std::string(key.name)] = value.ids;
    else
      keys[std::string(key.name)] = text;
  }
  json nodes = json::array();
  for (const config::ClusterNode& node : loaded->cluster.nodes) {
    nodes.push_back({{"id", node.id},
                     {"name", node.name},
                     {"address", to_string(node.address)},
                     {"management", node.management ? to_string(*node.management) : ""},
                     {"votes", node.votes}});
  }
  json groups = json::array();
  for (const config::GroupLane& group : loaded->lane.groups) {
    groups.push_back({{"name", group.name}, {"lane", group.lane}});
  }
  const json out = {
      {"version", 1}, {"file", loaded->file},  {"cluster_hash", hex(cluster_hash(*loaded))},
      {"keys", keys}, {"lane_groups", groups}, {"nodes", nodes}};
  std::printf("%s\n", out.dump().c_str());
  return ExitCode::Fine;
}

constexpr std::string_view kNodes = "cluster.nodes";

bool is_selected(std::string_view key, const std::string& name) {
  return name.empty() || key == name || key.starts_with(name + ".");
}

ExitCode no_such_key(const std::string& name, const Globals& globals) {
  std::vector<std::string> known = {std::string(kNodes), std::string(config::kLaneGroups)};
  for (const config::Key& key : config::schema()) known.emplace_back(key.name);
  const std::string meant = config::closest(name, known);
  return report({.code = ExitCode::Usage,
                 .attempted = "there is no key " + name,
                 .remedy = meant.empty() ? "phalanx config explain lists them all"
                                         : "did you mean " + meant + "?"},
                globals);
}

ExitCode explain(const std::string& name, const Globals& globals) {
  const std::string text = config::explain(name);
  if (text.empty()) return no_such_key(name, globals);
  if (!globals.json) {
    std::fputs(text.c_str(), stdout);
    return ExitCode::Fine;
  }
  json keys = json::array();
  for (const config::Key& key : config::schema()) {
    if (!is_selected(key.name, name)) continue;
    keys.push_back({{"key", key.name},
                    {"kind", config::kind_text(key.kind)},
                    {"default", key.fallback},
                    {"allowed", allowed_text(key)},
                    {"equal_on_all_nodes", key.cluster_part},
                    {"reloadable", key.reloadable},
                    {"text", key.text}});
  }
  if (is_selected(config::kLaneGroups, name)) {
    keys.push_back({{"key", config::kLaneGroups},
                    {"kind", "a table"},
                    {"default", ""},
                    {"allowed", config::lane_groups_allowed()},
                    {"equal_on_all_nodes", true},
                    {"reloadable", false},
                    {"text", config::lane_groups_text()}});
  }
  json node_keys = json::array();
  for (const config::NodeKey& key : config::node_schema()) {
    if (!is_selected(kNodes, name)) break;
    node_keys.push_back({{"key", key.name},
                         {"allowed", key.allowed},
                         {"required", key.required},
                         {"text", key.text}});
  }
  const json out = {{"version", 1}, {"keys", keys}, {"node_keys", node_keys}};
  std::printf("%s\n", out.dump().c_str());
  return ExitCode::Fine;
}

}  // namespace

void add_config(Command& root, const Globals& globals) {
  const auto choice = std::make_shared<FileChoice>();
  const auto name = std::make_shared<std::string>();
  const std::string file =
      "The file (default: --config, or " + std::string(config::kDefaultConfigFile) + ")";
  Command group = root.add("config", "Check, show and explain configuration files.");

  group.add("check", "Check a file. Exit 2 when it has errors.")
      .text("FILE", choice->file, file)
      .flag("--skip-key-file", choice->skip_key, "Do not look at the key file")
      .run([&globals, choice] { return check(*choice, globals); });
  group.add("show", "Print the effective configuration of a file.")
      .text("FILE", choice->file, file)
      .run([&globals, choice] { return show(*choice, globals); });
  group.add("explain", "Say what a key means and may be.")
      .text("KEY", *name, "A key (lane.log) or table (lane); all of them when absent")
      .run([&globals, name] { return explain(*name, globals); });
  group.add("init", "Print a file to start from, every key explained.").run([] {
    std::fputs(config::sample_file().c_str(), stdout);
    return ExitCode::Fine;
  });
}

}  // namespace phalanx::cli

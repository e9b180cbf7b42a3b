#include "controlplane/cli/key_text.h"

#include <array>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>

#include "controlplane/cli/output.h"

namespace phalanx::cli {
namespace {

using nlohmann::json;

std::string key_text(const json& key) {
  if (!key.is_object()) return "-";
  return std::to_string(key.value("id", 0U)) + " " + escaped(key.value("fingerprint", ""));
}

std::string time_text(std::uint64_t seconds) {
  const auto when = static_cast<std::time_t>(seconds);
  std::tm parts{};
  std::array<char, 32> text{};
  if (seconds == 0 || localtime_r(&when, &parts) == nullptr) return "-";
  const std::size_t length = std::strftime(text.data(), text.size(), "%F %T", &parts);
  return {text.data(), length};
}

json nodes_of(const json& answer) { return answer.value("nodes", json::array()); }

}  // namespace

std::string key_status_text(const json& answer) {
  std::string text;
  const json rotation = answer.value("rotation", json());
  if (rotation.is_object()) {
    const json error = rotation.value("error", json());
    text = "rotation to key " + key_text(rotation.value("to", json())) + ": ";
    text += rotation.value("running", false) ? escaped(rotation.value("step", ""))
            : error.is_string()              ? escaped(error.get<std::string>())
                                             : "complete";
    text += "\n";
  }
  Table table({"node", "phase", "key in use", "next key", "since", "trouble"});
  for (const json& node : nodes_of(answer)) {
    const std::string name = escaped(node.value("name", ""));
    if (!node.value("answers", false)) {
      table.row({name, "?", "-", "-", "-", "does not answer: it is down, or has another key"});
      continue;
    }
    const json trouble = node.value("trouble", json());
    table.row({name, escaped(node.value("phase", "")), key_text(node.value("key", json())),
               key_text(node.value("next", json())),
               time_text(node.value("since", std::uint64_t{0})),
               trouble.is_string() ? escaped(trouble.get<std::string>()) : ""});
  }
  text += table.text();
  std::string old_only;
  bool some_have_next = false;
  for (const json& node : nodes_of(answer)) {
    if (!node.value("answers", false)) continue;
    if (node.value("next", json()).is_object()) some_have_next = true;
  }
  for (const json& node : nodes_of(answer)) {
    if (some_have_next && node.value("phase", "") == "one key") {
      old_only += (old_only.empty() ? "" : ", ") + escaped(node.value("name", ""));
    }
  }
  if (!old_only.empty()) text += "without the next key, or done with it: " + old_only + "\n";
  return text;
}

std::string key_progress_text(const json& answer) {
  std::map<std::string, int> phases;
  for (const json& node : nodes_of(answer)) {
    const json rotation = answer.value("rotation", json());
    const bool done = rotation.is_object() && node.value("phase", "") == "one key" &&
                      node.value("key", json()) == rotation.value("to", json());
    ++phases[!node.value("answers", false) ? "silent"
             : done                        ? "done"
                                           : escaped(node.value("phase", ""))];
  }
  const json rotation = answer.value("rotation", json());
  std::string text = rotation.is_object() ? escaped(rotation.value("step", "")) : "none";
  for (const auto& [phase, count] : phases) {
    text += (phase == phases.begin()->first ? ": " : ", ") + std::to_string(count) + " " + phase;
  }
  return text;
}

bool is_settled(const json& answer) {
  const json nodes = nodes_of(answer);
  for (const json& node : nodes) {
    if (!node.value("answers", false) || node.value("phase", "") != "one key" ||
        node.value("key", json()) != nodes.front().value("key", json())) {
      return false;
    }
  }
  return !nodes.empty();
}

}  // namespace phalanx::cli

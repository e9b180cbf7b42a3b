#include "controlplane/cli/quorum_text.h"

#include <nlohmann/json.hpp>

#include "controlplane/cli/output.h"

namespace phalanx::cli {
namespace {

using nlohmann::json;

std::string text_at(const json& from, const char* key) {
  const auto found = from.find(key);
  if (found == from.end() || found->is_null()) return "?";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

bool is_true(const json& from, const char* key) {
  const auto found = from.find(key);
  return found != from.end() && *found == true;
}

}  // namespace

bool is_quorate(const json& quorum) {
  const auto found = quorum.is_object() ? quorum.find("quorate") : quorum.end();
  return !quorum.is_object() || found == quorum.end() || *found != false;
}

std::string quorum_line(const json& quorum) {
  if (!quorum.is_object()) return {};
  return std::string(is_quorate(quorum) ? "quorate" : "not quorate") + " (" +
         text_at(quorum, "reason") + "), " + text_at(quorum, "total") + " of " +
         text_at(quorum, "expected") + " votes, " + text_at(quorum, "needed") + " needed";
}

std::string quorum_text(const json& quorum) {
  if (!quorum.is_object()) return "the data plane is down: there is no view\n";
  std::string out = quorum_line(quorum);
  out += "\nview " + text_at(quorum, "view_sequence") + ", policy " + text_at(quorum, "policy") +
         ", highest expected " + text_at(quorum, "highest_expected");
  for (const json& flag : quorum.value("flags", json::array()))
    out += ", " + flag.get<std::string>();
  const json device = quorum.value("device", json());
  if (device.is_object()) {
    out += "\ndevice " + text_at(device, "address") + ", votes " + text_at(device, "votes") +
           (is_true(device, "answers") ? ", answers" : ", no answer of late") +
           (is_true(device, "counted") ? ", counted in this view" : ", not counted in this view");
  }
  out += "\n\n";
  Table table({"node", "id", "votes", "in view", "counted"});
  for (const json& node : quorum.value("votes", json::array())) {
    table.row({text_at(node, "name"), text_at(node, "node"), text_at(node, "votes"),
               is_true(node, "in_view") ? "yes" : "no", is_true(node, "counted") ? "yes" : "no"});
  }
  return out + table.text();
}

}  // namespace phalanx::cli

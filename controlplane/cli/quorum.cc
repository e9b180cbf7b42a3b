#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "config/load.h"
#include "controlplane/cli/admin_client.h"
#include "controlplane/cli/arguments.h"
#include "controlplane/cli/output.h"
#include "controlplane/cli/program.h"
#include "controlplane/cli/quorum_text.h"
#include "controlplane/cli/what_if.h"

namespace phalanx::cli {
namespace {

using nlohmann::json;

json side_json(const std::vector<NodeId>& nodes, const config::Config& config) {
  const quorum::Outcome outcome = outcome_of(nodes, config);
  json names = json::array();
  for (const config::ClusterNode& node : config.cluster.nodes) {
    for (const NodeId id : nodes) {
      if (id == node.id) names.push_back(node.name);
    }
  }
  return {{"nodes", std::move(names)},           {"quorate", outcome.quorate},
          {"reason", to_string(outcome.reason)}, {"total", outcome.total},
          {"expected", outcome.expected},        {"needed", outcome.needed}};
}

std::string side_text(const json& side) {
  std::string names;
  for (const json& name : side["nodes"])
    names += (names.empty() ? "" : " ") + name.get<std::string>();
  return (names.empty() ? "nobody" : names) + ": ";
}

ExitCode what_if(const std::string& text, const Globals& globals) {
  const std::string file = globals.config.empty() ? "/etc/phalanx/phalanx.toml" : globals.config;
  const auto config =
      config::load(file, {.instance = "", .check_key_file = false, .any_node = true});
  if (!config) {
    return report({.code = ExitCode::Usage,
                   .attempted = "cannot use the configuration " + file,
                   .observed = config.error().text(),
                   .remedy = "phalanx config check " + file},
                  globals);
  }
  const auto question = parse_what_if(text, *config);
  if (!question) return report(question.error(), globals);
  const json up = side_json(question->up, *config);
  const json down = side_json(question->down, *config);
  if (globals.json) {
    const json out = {{"version", 1}, {"up", up}, {"cut_off", down}};
    std::printf("%s\n", out.dump().c_str());
  } else {
    std::printf("%s%s\n", side_text(up).c_str(), quorum_line(up).c_str());
    if (!question->down.empty()) {
      std::printf("if the others live and are only cut off: %s%s\n", side_text(down).c_str(),
                  quorum_line(down).c_str());
    }
  }
  return up["quorate"] == true ? ExitCode::Fine : ExitCode::Degraded;
}

ExitCode show(const Globals& globals) {
  const auto instance = find_instance(globals);
  if (!instance) return report(instance.error(), globals);
  const auto answer = ask(instance->directory(), {{"command", "status"}});
  if (!answer) return report(answer.error(), globals);
  const json quorum = answer->value("quorum", json());
  if (globals.json) {
    const json out = {{"version", 1}, {"node", answer->value("node", 0)}, {"quorum", quorum}};
    std::printf("%s\n", out.dump().c_str());
  } else {
    std::fputs(quorum_text(quorum).c_str(), stdout);
  }
  return quorum.is_object() && is_quorate(quorum) ? ExitCode::Fine : ExitCode::Degraded;
}

}  // namespace

void add_quorum(Command& root, const Globals& globals) {
  const auto question = std::make_shared<std::string>();
  root.add("quorum",
           "Say whether this side of the cluster may act. Exit 0 when quorate, 4 when not, 3 when "
           "the control plane is not running.")
      .text("--what-if", *question,
            "Compute it from the configuration, without a daemon: n1,n3-down (the others are up) "
            "or n1,n3-up (the others are down), after a view of all nodes",
            "NODES")
      .run([&globals, question] {
        return question->empty() ? show(globals) : what_if(*question, globals);
      });
}

}  // namespace phalanx::cli

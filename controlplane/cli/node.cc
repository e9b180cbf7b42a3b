#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "controlplane/cli/admin_client.h"
#include "controlplane/cli/arguments.h"
#include "controlplane/cli/output.h"
#include "controlplane/cli/program.h"

namespace phalanx::cli {
namespace {

using nlohmann::json;

struct NodeOrder {
  std::string node;
  std::string reason;
};

std::string nodes_text(const json& answer) {
  Table table({"node", "name", "address", "management", "in view"});
  for (const json& one : answer.value("nodes", json::array())) {
    const json management = one.value("management", json());
    table.row({std::to_string(one.value("node", 0U)),
               one.value("name", "") + (one.value("self", false) ? " (this one)" : ""),
               one.value("address", ""),
               management.is_string() ? management.get<std::string>() : "-",
               one.value("in_view", false) ? "yes" : "no"});
  }
  const json boot = answer.value("boot", json());
  return table.text() + "instance " + answer.value("instance", "") + ", control plane " +
         std::to_string(answer.value("pid", 0)) + ", boot " +
         (boot.is_string() ? boot.get<std::string>() : "none: the data plane is down") + "\n" +
         "configuration " + escaped(answer.value("config", "")) + "\n";
}

ExitCode list(const Globals& globals) {
  const auto instance = find_instance(globals);
  if (!instance) return report(instance.error(), globals);
  const auto answer = ask(instance->directory(), {{"command", "nodes"}});
  if (!answer) return report(answer.error(), globals);
  std::fputs(globals.json ? (answer->dump() + "\n").c_str() : nodes_text(*answer).c_str(), stdout);
  return ExitCode::Fine;
}

ExitCode remove(const NodeOrder& order, const Globals& globals) {
  const auto instance = find_instance(globals);
  if (!instance) return report(instance.error(), globals);
  const auto known = ask(instance->directory(), {{"command", "nodes"}});
  if (!known) return report(known.error(), globals);
  for (const json& one : known->value("nodes", json::array())) {
    const auto id = one.value("node", 0U);
    if (one.value("name", "") != order.node && std::to_string(id) != order.node) continue;
    const auto answer =
        ask(instance->directory(), {{"command", "remove"}, {"node", id}, {"reason", order.reason}});
    if (!answer) return report(answer.error(), globals);
    std::fputs(
        globals.json ? (answer->dump() + "\n").c_str() : "it knows why, and leaves the view now\n",
        stdout);
    return ExitCode::Fine;
  }
  return report({.code = ExitCode::Usage,
                 .attempted = "there is no node " + order.node,
                 .remedy = "phalanx node names all"},
                globals);
}

}  // namespace

void add_node(Command& root, const Globals& globals) {
  const auto order = std::make_shared<NodeOrder>();
  Command node = root.add("node", "List the nodes and their addresses; take one out.");
  node.add("remove", "Tell a node why, and have it leave and end.")
      .required_text("NODE", order->node, "Name or id")
      .required_text("--reason", order->reason, "Why: it is shown there")
      .run([&globals, order] { return remove(*order, globals); });
  node.run([&globals] { return list(globals); });
}

}  // namespace phalanx::cli

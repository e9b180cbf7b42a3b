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
#include "controlplane/json_text.h"
#include "controlplane/quorum/orders.h"

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
  const auto config = config::load(config_file(globals),
                                   {.instance = "", .check_key_file = false, .any_node = true});
  if (!config) return report_errors(config.error(), globals);
  const auto question = parse_what_if(text, *config);
  if (!question) return report(question.error(), globals);
  const json up = side_json(question->up, *config);
  const json down = side_json(question->down, *config);
  if (globals.json) {
    const json out = {{"version", 1}, {"up", up}, {"cut_off", down}};
    std::printf("%s\n", json_text(out).c_str());
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
    std::printf("%s\n", json_text(out).c_str());
  } else {
    std::fputs(quorum_text(quorum).c_str(), stdout);
  }
  return quorum.is_object() && is_quorate(quorum) ? ExitCode::Fine : ExitCode::Degraded;
}

struct VoteOrder {
  std::string node;
  std::uint64_t number = 0;
  bool others_are_down = false;
};

/// The id behind a name; a number is one already.
Expected<std::uint32_t, Error> id_of(const std::string& node, const json& quorum) {
  json known = json::array();
  for (const json& one : quorum.value("votes", json::array())) {
    if (one.value("name", "") == node || std::to_string(one.value("node", 0U)) == node) {
      return one.value("node", 0U);
    }
    known.push_back(one.value("name", ""));
  }
  return fail(Error{.code = ExitCode::Usage,
                    .attempted = "there is no node " + node,
                    .observed = "configured are " + json_text(known),
                    .remedy = "give a name or an id of cluster.nodes"});
}

ExitCode order(json request, const VoteOrder& options, const Globals& globals) {
  const auto instance = find_instance(globals);
  if (!instance) return report(instance.error(), globals);
  if (!options.node.empty()) {
    const auto now = ask(instance->directory(), {{"command", "status"}});
    if (!now) return report(now.error(), globals);
    const json quorum = now->value("quorum", json::object());
    const auto id = id_of(options.node, quorum.is_object() ? quorum : json::object());
    if (!id) return report(id.error(), globals);
    request["node"] = *id;
  }
  request["command"] = "quorum";
  const auto answer = ask(instance->directory(), request);
  if (!answer) return report(answer.error(), globals);
  const json quorum = answer->value("quorum", json());
  if (globals.json) {
    std::printf("%s\n", json_text({{"version", 1}, {"quorum", quorum}}).c_str());
  } else {
    std::fputs(quorum_text(quorum).c_str(), stdout);
  }
  return ExitCode::Fine;
}

void add_orders(Command& quorum, const Globals& globals) {
  const auto options = std::make_shared<VoteOrder>();
  quorum
      .add("votes",
           "Give a node that many votes, from the next view on and until all nodes have restarted. "
           "Refused where it could split the cluster.")
      .required_text("NODE", options->node, "Name or id")
      .number("N", options->number, {0, quorum::kVotesMax}, "Votes")
      .run([&globals, options] {
        return order({{"order", "votes"}, {"number", options->number}}, *options, globals);
      });
  quorum
      .add("expected",
           "Count with that many votes, of which a majority is needed. Refused where it could "
           "split the cluster.")
      .number("N", options->number, {1, quorum::kExpectedMax}, "Votes")
      .run([&globals, options] {
        return order({{"order", "expected"}, {"number", options->number}}, *options, globals);
      });
  quorum
      .add("cancel-wait-for-all",
           "Be quorate without the nodes that have not been seen since the start.")
      .flag("--others-are-down", options->others_are_down,
            "You have seen to it: needed with two_node and last_man_standing")
      .run([&globals, options] {
        return order({{"order", "end_wait"}, {"others_are_down", options->others_are_down}},
                     *options, globals);
      });
}

}  // namespace

void add_quorum(Command& root, const Globals& globals) {
  const auto question = std::make_shared<std::string>();
  Command quorum = root.add(
      "quorum",
      "Say whether this side of the cluster may act. Exit 0 when quorate, 4 when not, 3 when "
      "the control plane is not running.");
  add_orders(quorum, globals);
  quorum
      .text("--what-if", *question,
            "Compute it from the configuration, without a daemon: n1,n3-down (the others are up) "
            "or n1,n3-up (the others are down), after a view of all nodes",
            "NODES")
      .run([&globals, question] {
        return question->empty() ? show(globals) : what_if(*question, globals);
      });
}

}  // namespace phalanx::cli

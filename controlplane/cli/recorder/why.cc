#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/cli/admin_client.h"
#include "controlplane/cli/arguments.h"
#include "controlplane/cli/program.h"
#include "controlplane/cli/recorder/noted.h"
#include "controlplane/cli/recorder/story.h"
#include "controlplane/json_text.h"

namespace phalanx::cli {
namespace {

using nlohmann::json;

struct Question {
  std::string node;
  std::string files;
};

/// What was to be heard, and of whom nothing was.
struct Heard {
  std::vector<Noted> events;
  std::vector<NodeId> missing;
  std::vector<std::pair<std::string, NodeId>> names;
};

std::uint64_t number_at(const json& list, std::size_t index) {
  return index < list.size() && list[index].is_number_unsigned() ? list[index].get<std::uint64_t>()
                                                                 : 0;
}

/// The shape of controlplane/daemon/recorder_exchange.cc.
void take_node(const json& node, const std::vector<NodeId>& ids, Heard& into) {
  const auto id = node.value("id", NodeId{0});
  if (!node.value("answered", false)) into.missing.push_back(id);
  for (const json& entry : node.value("events", json::array())) {
    if (!entry.is_array()) continue;
    Noted noted{.wall_ns = number_at(entry, 0), .by = id, .writer = "", .nodes = ids};
    noted.event.kind = static_cast<recorder::Kind>(number_at(entry, 1));
    noted.event.lane = static_cast<LaneId>(number_at(entry, 2));
    noted.event.node = static_cast<NodeId>(number_at(entry, 3));
    noted.event.view = number_at(entry, 4);
    noted.event.a = number_at(entry, 5);
    noted.event.b = number_at(entry, 6);
    noted.event.c = number_at(entry, 7);
    into.events.push_back(std::move(noted));
  }
}

Expected<Heard, Error> ask_nodes(const Globals& globals) {
  const auto instance = find_instance(globals);
  if (!instance) return fail(instance.error());
  const auto answer = ask(instance->directory(), {{"command", "recorder"}});
  if (!answer) return fail(answer.error());
  Heard heard;
  std::vector<NodeId> ids;
  for (const json& node : answer->value("configured", json::array())) {
    ids.push_back(node.value("id", NodeId{0}));
    heard.names.emplace_back(node.value("name", std::string()), ids.back());
  }
  for (const json& node : answer->value("nodes", json::array())) take_node(node, ids, heard);
  return heard;
}

Expected<Heard, Error> read_nodes(const std::string& files) {
  Heard heard;
  std::istringstream list(files);
  for (std::string one; std::getline(list, one, ',');) {
    if (one.empty()) continue;
    const auto ring = recorder::read_file(one);
    if (!ring) return fail(ring.error());
    for (Noted& noted : noted_of(*ring)) heard.events.push_back(std::move(noted));
  }
  return heard;
}

/// A name, "n3" or "3"; 0: none of them.
NodeId id_of(const std::string& word, const Heard& heard) {
  for (const auto& [name, id] : heard.names) {
    if (name == word) return id;
  }
  const char* begin = word.c_str() + (word.starts_with('n') ? 1 : 0);
  const char* end = word.c_str() + word.size();
  NodeId id = 0;
  const auto [rest, error] = std::from_chars(begin, end, id);
  const bool known =
      heard.names.empty() || std::any_of(heard.names.begin(), heard.names.end(),
                                         [id](const auto& n) { return n.second == id; });
  return error == std::errc{} && rest == end && known ? id : 0;
}

ExitCode why(const Question& question, const Globals& globals) {
  const auto heard = question.files.empty() ? ask_nodes(globals) : read_nodes(question.files);
  if (!heard) return report(heard.error(), globals);
  const NodeId about = id_of(question.node, *heard);
  if (about == 0) {
    return report(Error{.code = ExitCode::Usage,
                        .attempted = "cannot say anything about " + question.node,
                        .observed = "no node has that name or id",
                        .remedy = "phalanx status lists the nodes"},
                  globals);
  }
  const Story story = story_of(heard->events, about);
  if (globals.json) {
    json out = json_of(story);
    out["version"] = 1;
    out["about"] = about;
    out["not_heard"] = heard->missing;
    std::printf("%s\n", json_text(out).c_str());
  } else {
    std::fputs(text_of(story).c_str(), stdout);
    for (const NodeId node : heard->missing) {
      std::printf("not heard: n%u did not answer with its recorder (all of it, in time)\n", node);
    }
  }
  return story.view == 0 ? ExitCode::Failed : ExitCode::Fine;
}

}  // namespace

void add_why(Command& root, const Globals& globals) {
  const auto question = std::make_shared<Question>();
  root.add("why",
           "Tell the last view change that a node fell out of or went through: who was silent, "
           "who gave whom up by which rule, and when. Asks the flight recorders of all nodes.")
      .required_text("NODE", question->node, "Name or id")
      .text("--file", question->files, "Read these recorders' files and ask nobody", "F,F...")
      .run([&globals, question] { return why(*question, globals); });
}

}  // namespace phalanx::cli

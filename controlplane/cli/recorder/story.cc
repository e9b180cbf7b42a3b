#include "controlplane/cli/recorder/story.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controlplane/cli/output.h"
#include "controlplane/cli/recorder/sentence.h"
#include "ipc/base/time_ns.h"

namespace phalanx::cli {
namespace {

using membership::LossRule;
using recorder::Kind;

/// What came before a view change belongs to it, as far back as the view before or this.
constexpr std::uint64_t kBefore = 10 * kSecond;
constexpr std::uint64_t kAfter = 200 * kMillisecond;

bool holds(const Noted& noted, std::uint64_t set, NodeId node) {
  const auto at = std::find(noted.nodes.begin(), noted.nodes.end(), node);
  return at != noted.nodes.end() && (set >> (at - noted.nodes.begin()) & 1) != 0;
}

/// The newest view that the node fell out of, else that it went through, else the newest.
std::uint64_t view_to_tell(const std::vector<Noted>& all, NodeId about) {
  std::uint64_t fell = 0;
  std::uint64_t went = 0;
  std::uint64_t newest = 0;
  for (const Noted& noted : all) {
    const recorder::Event& event = noted.event;
    if (event.kind == Kind::Left && event.node == about) fell = std::max(fell, event.view);
    if (event.kind != Kind::ViewInstalled) continue;
    newest = std::max(newest, event.view);
    if (holds(noted, event.a, about)) went = std::max(went, event.view);
  }
  if (about == 0) return newest;
  if (fell != 0) return fell;
  return went != 0 ? went : newest;
}

/// Who was heard last the longest ago, by the word of those who lost somebody.
void find_first_silent(Story& story, const std::vector<Noted>& window) {
  for (const Noted& noted : window) {
    const recorder::Event& event = noted.event;
    std::uint64_t silent = 0;
    if (event.kind == Kind::Suspected) silent = event.a;
    if (event.kind == Kind::Convicted && event.c != 0) silent = event.b;
    if (silent == 0 || silent > noted.wall_ns) continue;
    const std::uint64_t since = noted.wall_ns - silent;
    const bool lost = std::any_of(story.left.begin(), story.left.end(),
                                  [&](const Story::Loss& l) { return l.node == event.node; });
    if (!lost || (story.silent != 0 && since >= story.silent_since_ns)) continue;
    story.silent = event.node;
    story.silent_since_ns = since;
    story.silent_to = noted.by;
  }
}

void take_losses(Story& story, const std::vector<Noted>& all) {
  for (const Noted& noted : all) {
    if (noted.event.kind != Kind::Left || noted.event.view != story.view) continue;
    const auto rule = static_cast<LossRule>(noted.event.a);
    auto at = std::find_if(story.left.begin(), story.left.end(),
                           [&](const Story::Loss& l) { return l.node == noted.event.node; });
    const Story::Loss loss{noted.event.node, reason_of(rule), noted.by};
    if (at == story.left.end()) {
      story.left.push_back(loss);
    } else if (at->rule == reason_of(LossRule::Others)) {
      *at = loss;  // Whoever has a reason of its own knows more.
    }
  }
}

std::string clock_of(std::uint64_t wall_ns) {
  const std::string text = time_text(wall_ns);
  return text.size() > 12 ? text.substr(11) : text;
}

}  // namespace

Story story_of(std::vector<Noted> all, NodeId about) {
  sort_by_time(all);
  Story story;
  story.view = view_to_tell(all, about);
  if (story.view == 0) return story;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t begin = 0;
  for (const Noted& noted : all) {
    const recorder::Event& event = noted.event;
    if (event.kind != Kind::ViewInstalled) continue;
    if (event.view == story.view) {
      if (first == 0) first = noted.wall_ns;
      last = std::max(last, noted.wall_ns);
      story.members = set_text(noted, event.a);
      story.installs.push_back({noted.by, noted.wall_ns, event.c});
    } else if (event.view < story.view && (first == 0 || noted.wall_ns <= first)) {
      story.before = std::max(story.before, event.view);
      begin = noted.wall_ns;
    }
  }
  begin = std::max(begin, first > kBefore ? first - kBefore : 0);
  std::vector<Noted> window;
  for (Noted& noted : all) {
    if (noted.wall_ns < begin || noted.wall_ns > last + kAfter) continue;
    // What belongs to the installs of the view before, at other nodes, was told then.
    const bool older =
        noted.event.view != 0 && noted.event.view <= story.before &&
        (noted.event.kind == Kind::ViewInstalled || noted.event.kind == Kind::QuorumIs ||
         noted.event.kind == Kind::BarrierDone || noted.event.kind == Kind::InstallOrdered);
    if (!older) window.push_back(noted);
  }
  take_losses(story, all);
  find_first_silent(story, window);
  for (const Noted& noted : window) {
    if (std::string text = sentence_of(noted); !text.empty()) {
      story.lines.push_back({noted.wall_ns, noted.by, std::move(text)});
    }
  }
  return story;
}

std::string text_of(const Story& story) {
  if (story.view == 0) return "no view change is on record\n";
  std::string text = "view " + std::to_string(story.view) + " of " + story.members;
  if (story.before != 0) text += " took the place of view " + std::to_string(story.before);
  text += "\n";
  for (const Story::Loss& loss : story.left) {
    text += "  n" + std::to_string(loss.node) + " left: " + loss.rule + " (says n" +
            std::to_string(loss.told_by) + ")\n";
  }
  if (story.left.empty()) text += "  nobody left\n";
  if (story.silent != 0) {
    text += "  first silent: n" + std::to_string(story.silent) + ", last heard by n" +
            std::to_string(story.silent_to) + " at " + time_text(story.silent_since_ns) + "\n";
  }
  for (const Story::Install& install : story.installs) {
    text += "  installed at n" + std::to_string(install.node) + ": " + time_text(install.wall_ns) +
            (install.took_ns == 0 ? ""
                                  : ", " + fixed(static_cast<double>(install.took_ns) / 1e6, 1) +
                                        " ms after its lanes stopped or a member was lost") +
            "\n";
  }
  text += "\n";
  for (const Story::Line& line : story.lines) {
    text += clock_of(line.wall_ns) + "  n" + std::to_string(line.by) + "  " + line.text + "\n";
  }
  return text;
}

nlohmann::json json_of(const Story& story) {
  nlohmann::json left = nlohmann::json::array();
  for (const Story::Loss& loss : story.left) {
    left.push_back({{"node", loss.node}, {"rule", loss.rule}, {"told_by", loss.told_by}});
  }
  nlohmann::json installs = nlohmann::json::array();
  for (const Story::Install& install : story.installs) {
    installs.push_back(
        {{"node", install.node}, {"time_ns", install.wall_ns}, {"took_ns", install.took_ns}});
  }
  nlohmann::json lines = nlohmann::json::array();
  for (const Story::Line& line : story.lines) {
    lines.push_back({{"time", time_text(line.wall_ns)},
                     {"time_ns", line.wall_ns},
                     {"by", line.by},
                     {"text", line.text}});
  }
  nlohmann::json out = {
      {"view", story.view},      {"view_before", story.before},      {"members", story.members},
      {"left", std::move(left)}, {"installed", std::move(installs)}, {"story", std::move(lines)}};
  if (story.silent != 0) {
    out["first_silent"] = {{"node", story.silent},
                           {"since_ns", story.silent_since_ns},
                           {"noticed_by", story.silent_to}};
  }
  return out;
}

}  // namespace phalanx::cli

#include "config/log_rules.h"

#include <algorithm>

namespace phalanx::config {
namespace {

constexpr std::array<std::string_view, 12> kSubsystems{
    "admin",      "arbiter", "attach",     "daemon",  "dataplane", "log",
    "management", "map",     "membership", "metrics", "quorum",    "reload"};

struct TargetName {
  std::string_view name;
  std::uint8_t bit;
};
constexpr std::array kTargets{TargetName{"stderr", LogTargets::kStderr},
                              TargetName{"syslog", LogTargets::kSyslog},
                              TargetName{"file", LogTargets::kFile}};

/// Takes the first word off; empty words are skipped.
std::string_view take_word(std::string_view& text, char between) {
  while (!text.empty() && text.front() == between) text.remove_prefix(1);
  const std::size_t end = std::min(text.find(between), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

std::string quoted(std::string_view word) { return "\"" + std::string(word) + "\""; }

std::string known_subsystems() {
  std::string text;
  for (const std::string_view one : kSubsystems)
    text += (text.empty() ? "" : " ") + std::string(one);
  return text;
}

Expected<LogRule, std::string> parse_rule(std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) {
    return fail("has " + quoted(word) + ", which is not SUBSYSTEM=LEVEL");
  }
  LogRule rule{.subsystem = std::string(word.substr(0, equals)), .level = {}, .targets = {}};
  if (!std::ranges::binary_search(kSubsystems, rule.subsystem)) {
    return fail("names the unknown subsystem " + quoted(rule.subsystem) +
                "; known: " + known_subsystems());
  }
  const std::string_view what = word.substr(equals + 1);
  const std::size_t colon = std::min(what.find(':'), what.size());
  if (colon > 0) {
    rule.level = parse_log_level(what.substr(0, colon));
    if (!rule.level) {
      return fail("has the unknown level " + quoted(what.substr(0, colon)) +
                  "; known: error warn info debug");
    }
  }
  if (colon < what.size()) {
    const auto targets = parse_log_targets(what.substr(colon + 1), '+');
    if (!targets) return fail(targets.error());
    rule.targets = *targets;
  }
  if (!rule.level && !rule.targets) return fail("says nothing about " + quoted(rule.subsystem));
  return rule;
}

}  // namespace

std::span<const std::string_view> log_subsystems() noexcept { return kSubsystems; }

std::optional<LogLevel> parse_log_level(std::string_view word) noexcept {
  for (const LogLevel level : {LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug}) {
    if (word == to_string(level)) return level;
  }
  return std::nullopt;
}

Expected<LogTargets, std::string> parse_log_targets(std::string_view text, char between) {
  LogTargets targets{.bits = 0};
  bool none = false;
  bool any = false;
  for (std::string_view rest = text;;) {
    const std::string_view word = take_word(rest, between);
    if (word.empty()) break;
    any = true;
    const auto found = std::ranges::find(kTargets, word, &TargetName::name);
    if (found != kTargets.end()) {
      targets.bits |= found->bit;
    } else if (word == "none") {
      none = true;
    } else {
      return fail("has the unknown target " + quoted(word) + "; known: stderr syslog file none");
    }
  }
  if (!any) return fail(std::string("names no target; known: stderr syslog file none"));
  if (none && targets.bits != 0) return fail(std::string("has none beside other targets"));
  return targets;
}

Expected<std::vector<LogRule>, std::string> parse_log_rules(std::string_view text) {
  std::vector<LogRule> rules;
  for (;;) {
    const std::string_view word = take_word(text, ' ');
    if (word.empty()) return rules;
    auto rule = parse_rule(word);
    if (!rule) return fail(std::move(rule.error()));
    if (std::ranges::find(rules, rule->subsystem, &LogRule::subsystem) != rules.end()) {
      return fail("names " + quoted(rule->subsystem) + " twice");
    }
    rules.push_back(std::move(*rule));
  }
}

std::string to_string(LogTargets targets, char between) {
  std::string text;
  for (const TargetName& target : kTargets) {
    if (!targets.has(target.bit)) continue;
    if (!text.empty()) text += between;
    text += target.name;
  }
  return text.empty() ? "none" : text;
}

}  // namespace phalanx::config

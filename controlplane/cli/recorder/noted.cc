#include "controlplane/cli/recorder/noted.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "controlplane/cli/output.h"
#include "controlplane/membership/loss.h"
#include "ipc/base/time_ns.h"

namespace phalanx::cli {
namespace {

using recorder::Field;

std::array<std::uint64_t, 3> values_of(const recorder::Event& event) {
  return {event.a, event.b, event.c};
}

std::string word_of(std::uint64_t packed) {
  std::string word;
  for (; packed != 0; packed >>= 8) word += static_cast<char>(packed & 0xff);
  return escaped(word);
}

std::string rule_text(std::uint64_t rule) {
  return std::string(membership::to_string(static_cast<membership::LossRule>(rule)));
}

std::string field_text(const Noted& noted, Field type, std::uint64_t value) {
  switch (type) {
    case Field::Unused:
    case Field::Number:
    case Field::Position:
      return std::to_string(value);
    case Field::Nodes:
      return "[" + set_text(noted, value) + "]";
    case Field::Duration:
      return fixed(static_cast<double>(value) / 1e6, 3) + "ms";
    case Field::Truth:
      return value != 0 ? "yes" : "no";
    case Field::Rule:
      return "\"" + rule_text(value) + "\"";
    case Field::Command:
      return word_of(value);
  }
  return std::to_string(value);
}

nlohmann::json field_json(const Noted& noted, Field type, std::uint64_t value) {
  switch (type) {
    case Field::Nodes: {
      nlohmann::json nodes = nlohmann::json::array();
      for (std::size_t i = 0; i < noted.nodes.size(); ++i) {
        if ((value >> i & 1) != 0) nodes.push_back(noted.nodes[i]);
      }
      return nodes;
    }
    case Field::Truth:
      return value != 0;
    case Field::Rule:
      return rule_text(value);
    case Field::Command:
      return word_of(value);
    case Field::Unused:
    case Field::Number:
    case Field::Position:
    case Field::Duration:
      return value;
  }
  return value;
}

}  // namespace

std::string set_text(const Noted& noted, std::uint64_t set) {
  std::string text;
  for (std::size_t i = 0; i < noted.nodes.size(); ++i) {
    if ((set >> i & 1) == 0) continue;
    if (!text.empty()) text += ' ';
    text += "n" + std::to_string(noted.nodes[i]);
  }
  return text;
}

std::string time_text(std::uint64_t wall_ns) {
  if (wall_ns == 0) return "-";
  const auto seconds = static_cast<time_t>(wall_ns / kSecond);
  tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t length = strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 16> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%06uZ",
                static_cast<unsigned>(wall_ns % kSecond / kMicrosecond));
  return std::string(text.data(), length) + fraction.data();
}

std::string line_of(const Noted& noted) {
  const recorder::Event& event = noted.event;
  const recorder::KindInfo* info = recorder::info_of(event.kind);
  std::string line = time_text(noted.wall_ns) + " n" + std::to_string(noted.by) + " " +
                     escaped(noted.writer) + " ";
  line += info == nullptr
              ? std::string("unknown kind-") + std::to_string(static_cast<unsigned>(event.kind))
              : std::string(to_string(info->subsystem)) + " " + std::string(info->name);
  if (info != nullptr && info->subsystem == recorder::Subsystem::Lane) {
    line += " lane=" + std::to_string(event.lane);
  }
  if (event.node != 0) line += " node=n" + std::to_string(event.node);
  if (event.view != 0) line += " view=" + std::to_string(event.view);
  const auto values = values_of(event);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (info == nullptr) {
      line += " " + std::to_string(values[i]);
    } else if (info->fields[i].type != Field::Unused) {
      line += " " + std::string(info->fields[i].name) + "=" +
              field_text(noted, info->fields[i].type, values[i]);
    }
  }
  return line;
}

nlohmann::json json_of(const Noted& noted) {
  const recorder::Event& event = noted.event;
  const recorder::KindInfo* info = recorder::info_of(event.kind);
  nlohmann::json out = {{"time", time_text(noted.wall_ns)},
                        {"time_ns", noted.wall_ns},
                        {"by", noted.by},
                        {"writer", escaped(noted.writer)},
                        {"number", event.number},
                        {"kind", info == nullptr ? "unknown" : std::string(info->name)},
                        {"lane", event.lane},
                        {"node", event.node},
                        {"view", event.view}};
  const auto values = values_of(event);
  nlohmann::json fields = nlohmann::json::object();
  for (std::size_t i = 0; i < values.size() && info != nullptr; ++i) {
    if (info->fields[i].type == Field::Unused) continue;
    fields[std::string(info->fields[i].name)] = field_json(noted, info->fields[i].type, values[i]);
  }
  if (info == nullptr) {
    fields = {{"number", static_cast<unsigned>(event.kind)}, {"values", values}};
  } else {
    out["subsystem"] = std::string(to_string(info->subsystem));
  }
  out["fields"] = std::move(fields);
  return out;
}

bool NotedFilter::passes(const Noted& noted) const {
  const recorder::Event& event = noted.event;
  const recorder::KindInfo* info = recorder::info_of(event.kind);
  if (noted.wall_ns < since_ns || (until_ns != 0 && noted.wall_ns > until_ns)) return false;
  if (lane &&
      (info == nullptr || info->subsystem != recorder::Subsystem::Lane || event.lane != *lane)) {
    return false;
  }
  if (view != 0 && event.view != view) return false;
  if (!subsystem.empty() && (info == nullptr || to_string(info->subsystem) != subsystem)) {
    return false;
  }
  bool about = node == 0 || event.node == node || noted.by == node;
  bool inside = !range;
  const auto values = values_of(event);
  const auto& fields = info == nullptr ? recorder::KindInfo{}.fields : info->fields;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto at = std::find(noted.nodes.begin(), noted.nodes.end(), node);
    about = about || (fields[i].type == Field::Nodes && at != noted.nodes.end() &&
                      (values[i] >> (at - noted.nodes.begin()) & 1) != 0);
    if (!range || fields[i].type != Field::Position) continue;
    const bool pair = i + 1 < values.size() && fields[i + 1].type == Field::Position;
    const std::uint64_t end = pair ? values[i + 1] : values[i];
    inside = inside || (values[i] <= range->second && end >= range->first);
    if (pair) ++i;
  }
  return about && inside;
}

std::optional<std::uint64_t> parse_time(std::string_view text, std::uint64_t now_ns) {
  double amount = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, amount);
  if (error == std::errc{} && rest + 1 == end && amount >= 0 && amount < 1e9) {
    const double unit = *rest == 's' ? 1 : *rest == 'm' ? 60 : *rest == 'h' ? 3600 : 0;
    const double ago = amount * unit * 1e9;
    if (unit > 0 && ago < static_cast<double>(now_ns)) {
      return now_ns - static_cast<std::uint64_t>(ago);
    }
  }
  std::string copy(text);
  if (!copy.empty() && copy.back() == 'Z') copy.pop_back();
  tm parts{};
  const auto now = static_cast<time_t>(now_ns / kSecond);
  gmtime_r(&now, &parts);
  const tm today = parts;
  const char* after = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (after == nullptr) {
    parts = today;  // What did not fit has left its traces.
    after = strptime(copy.c_str(), "%H:%M:%S", &parts);
  }
  if (after == nullptr) return std::nullopt;
  double fraction = 0;
  const char* last = copy.c_str() + copy.size();
  if (after != last) {
    const auto parsed = std::from_chars(after, last, fraction, std::chars_format::fixed);
    if (*after != '.' || parsed.ec != std::errc{} || parsed.ptr != last) return std::nullopt;
  }
  const time_t seconds = timegm(&parts);
  if (seconds < 0) return std::nullopt;
  return static_cast<std::uint64_t>(seconds) * kSecond + static_cast<std::uint64_t>(fraction * 1e9);
}

std::vector<Noted> noted_of(const recorder::Ring& ring) {
  std::vector<Noted> all;
  const auto count = std::min<std::size_t>(ring.header.node_count, kNodesMax);
  const std::vector<NodeId> nodes(ring.header.nodes.begin(),
                                  ring.header.nodes.begin() + static_cast<std::ptrdiff_t>(count));
  for (const recorder::Event& event : ring.events) {
    all.push_back({.event = event,
                   .wall_ns = ring.clock.wall_of(event.ticks),
                   .by = ring.header.node,
                   .writer = ring.writer(),
                   .nodes = nodes});
  }
  return all;
}

void sort_by_time(std::vector<Noted>& all) {
  std::stable_sort(all.begin(), all.end(),
                   [](const Noted& x, const Noted& y) { return x.wall_ns < y.wall_ns; });
}

}  // namespace phalanx::cli

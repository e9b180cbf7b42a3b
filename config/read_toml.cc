#include <toml++/toml.h>

#include <algorithm>

#include "config/draft.h"
#include "config/schema.h"
#include "config/suggest.h"

namespace phalanx::config {
namespace {

constexpr std::int64_t kVotesMax = 1000;  ///< Of one node; schema_keys.cc says it too.

Place place_of(const toml::source_region& source) {
  return {.line = source.begin.line, .column = source.begin.column};
}

std::string shown(const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) return "\"" + *text + "\"";
  if (const auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
  if (const auto flag = node.value_exact<bool>()) return *flag ? "true" : "false";
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time of day";
    case toml::node_type::none:
    case toml::node_type::string:
    case toml::node_type::integer:
    case toml::node_type::boolean:
      break;
  }
  return "something else";
}

/// One key of the file against its row of the schema.
class KeyReader {
 public:
  KeyReader(const Key& key, const toml::node& node, Draft& draft)
      : key_(key), node_(node), draft_(draft) {}

  void read() {
    const std::optional<Value> value = convert();
    if (!value) return;
    draft_.places.emplace(key_.name, place_of(node_.source()));
    key_.store(draft_.config, *value);
  }

 private:
  std::optional<Value> convert() {
    switch (key_.kind) {
      case Kind::Integer:
        return integer();
      case Kind::Size:
        return with_unit(parse_size, "a size with its unit, in quotes");
      case Kind::Duration:
        return with_unit(parse_duration, "a time with its unit, in quotes");
      case Kind::Choice:
        return choice();
      case Kind::Name:
      case Kind::Path:
      case Kind::Address:
      case Kind::Text:
        return text();
      case Kind::Ids:
        return ids();
    }
    return std::nullopt;
  }

  std::nullopt_t refuse(const std::string& why, std::string remedy = {}) {
    if (remedy.empty()) {
      remedy = "take one that is allowed, or leave the line out for " + default_text(key_);
    }
    draft_.error(place_of(node_.source()),
                 std::string(key_.name) + " = " + shown(node_) + " " + why, allowed_text(key_),
                 std::move(remedy));
    return std::nullopt;
  }

  std::optional<Value> in_range(std::int64_t number) {
    if (number < key_.min) return refuse("is too small");
    if (number > key_.max) return refuse("is too large");
    if (key_.power_of_two && (number & (number - 1)) != 0) return refuse("is not a power of two");
    return Value{.number = number};
  }

  std::optional<Value> integer() {
    const auto number = node_.value_exact<std::int64_t>();
    return number ? in_range(*number) : refuse("is not a whole number", "write it without quotes");
  }

  using UnitParser = Expected<std::int64_t, std::string> (*)(std::string_view);
  std::optional<Value> with_unit(UnitParser parse, const std::string& what) {
    const auto text = node_.value_exact<std::string>();
    if (!text) {
      const std::string unit = key_.kind == Kind::Size ? "KiB" : "ms";
      return refuse("is not " + what, node_.is_integer()
                                          ? "say the unit: " + std::string(key_.name) + " = \"" +
                                                shown(node_) + unit + "\", if that is meant"
                                          : "");
    }
    const auto number = parse(*text);
    return number ? in_range(*number) : refuse(number.error(), with_meant_unit(*text));
  }

  /// "512KiB" for "512KB"; nothing when no unit is close to what was written.
  [[nodiscard]] std::string with_meant_unit(const std::string& text) const {
    const std::vector<std::string> units = key_.kind == Kind::Size
                                               ? std::vector<std::string>{"B", "KiB", "MiB", "GiB"}
                                               : std::vector<std::string>{"ns", "us", "ms", "s"};
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const std::string meant = closest(text.substr(digits), units);
    if (digits == 0 || meant.empty()) return "";
    return "did you mean \"" + text.substr(0, digits) + meant + "\"?";
  }

  std::optional<Value> choice() {
    const auto text = node_.value_exact<std::string>();
    if (!text) return refuse("is not a word in quotes");
    std::vector<std::string> words;
    for (std::size_t from = 0; from <= key_.choices.size();) {
      const std::size_t to = std::min(key_.choices.find('|', from), key_.choices.size());
      words.emplace_back(key_.choices.substr(from, to - from));
      from = to + 1;
    }
    if (std::ranges::find(words, *text) != words.end()) return Value{.text = *text};
    const std::string meant = closest(*text, words);
    return refuse("is not one of the words allowed",
                  meant.empty() ? "" : "did you mean \"" + meant + "\"?");
  }

  std::optional<Value> text() {
    const auto text = node_.value_exact<std::string>();
    if (!text) return refuse("is not a text in quotes");
    if (key_.kind == Kind::Name && !is_name(*text)) return refuse("is not a name");
    if (key_.kind == Kind::Path && !text->empty() &&
        (text->front() != '/' || text->find('\0') != std::string::npos)) {
      return refuse("is not an absolute path");
    }
    if (key_.kind == Kind::Text && std::ranges::any_of(*text, [](char c) { return c < ' '; })) {
      return refuse("is more than one line, or not plain ASCII");
    }
    if (key_.kind == Kind::Address && !text->empty()) {
      const auto endpoint = parse_endpoint(*text);
      if (!endpoint) return refuse(endpoint.error());
    }
    return Value{.text = *text};
  }

  std::optional<Value> ids() {
    const toml::array* list = node_.as_array();
    if (list == nullptr) return refuse("is not a list");
    Value value;
    for (const toml::node& entry : *list) {
      const auto id = entry.value_exact<std::int64_t>();
      if (!id || *id < 0 || *id >= 4294967295) {
        draft_.error(place_of(entry.source()),
                     std::string(key_.name) + " holds " + shown(entry) + ", which is not an id",
                     allowed_text(key_), "`id -u NAME` prints the number of a user");
        return std::nullopt;
      }
      value.ids.push_back(static_cast<std::uint32_t>(*id));
    }
    return value;
  }

  const Key& key_;
  const toml::node& node_;
  Draft& draft_;
};

void unknown(Draft& draft, Place place, const std::string& what, std::string_view name,
             const std::vector<std::string>& known, const std::string& context) {
  const std::string meant = closest(name, known);
  std::string allowed;
  for (const std::string& k : known) allowed += (allowed.empty() ? "" : ", ") + k;
  draft.error(place, "unknown " + what + " " + context + std::string(name), std::move(allowed),
              meant.empty() ? "take it out; `phalanx config explain` says what there is"
                            : "did you mean " + context + meant + "?");
}

/// One [[cluster.nodes]] entry; `index` counts from 0.
void read_node(const toml::table& table, std::size_t index, Draft& draft) {
  const std::string prefix = "cluster.nodes[" + std::to_string(index) + "]";
  draft.places.emplace(prefix, place_of(table.source()));
  ClusterNode entry;
  std::vector<std::string> known;
  for (const NodeKey& key : node_schema()) known.emplace_back(key.name);
  for (auto&& [name, node] : table) {
    const std::string full = "cluster.nodes." + std::string(name.str());
    const Place place = place_of(node.source());
    const auto row = std::ranges::find(node_schema(), name.str(), &NodeKey::name);
    if (row == node_schema().end()) {
      unknown(draft, place_of(name.source()), "key", name.str(), known, "cluster.nodes.");
      continue;
    }
    draft.places.emplace(prefix + "." + std::string(name.str()), place);
    // clang 14 captures no structured binding by reference; a copy of the reference it does.
    const auto refuse = [&, &found = node](const std::string& why) {
      draft.error(place, full + " = " + shown(found) + " " + why, std::string(row->allowed),
                  "`phalanx config explain cluster.nodes` says what each key of a node is");
    };
    if (row->name == "id") {
      const auto id = node.value_exact<std::int64_t>();
      if (!id || *id < 1 || *id > 4294967295)
        refuse("is not a node's number");
      else
        entry.id = static_cast<NodeId>(*id);
      continue;
    }
    if (row->name == "votes") {
      const auto votes = node.value_exact<std::int64_t>();
      if (!votes || *votes < 0 || *votes > kVotesMax)
        refuse("is not a number of votes");
      else
        entry.votes = static_cast<std::uint32_t>(*votes);
      continue;
    }
    const auto text = node.value_exact<std::string>();
    if (!text) {
      refuse("is not a text in quotes");
    } else if (row->name == "name") {
      if (!is_name(*text))
        refuse("is not a name");
      else
        entry.name = *text;
    } else if (const auto endpoint = parse_endpoint(*text); !endpoint) {
      refuse(endpoint.error());
    } else if (row->name == "address") {
      entry.address = *endpoint;
    } else if (row->name == "second") {
      entry.second = *endpoint;
    } else {
      entry.management = *endpoint;
    }
  }
  for (const NodeKey& key : node_schema()) {
    if (!key.required || table.contains(key.name)) continue;
    draft.error(place_of(table.source()), "this node has no " + std::string(key.name),
                std::string(key.allowed), "add a line " + std::string(key.name) + " = ...");
  }
  if (entry.name.empty() && entry.id != 0) entry.name = "n" + std::to_string(entry.id);
  draft.config.cluster.nodes.push_back(std::move(entry));
}

void read_nodes(const toml::node& node, Draft& draft) {
  draft.places.emplace("cluster.nodes", place_of(node.source()));
  const toml::array* list = node.as_array();
  const auto refuse = [&](const toml::node& at) {
    draft.error(place_of(at.source()), "cluster.nodes holds " + shown(at),
                "a table for each node: [[cluster.nodes]]",
                "see `phalanx config explain cluster.nodes`");
  };
  if (list == nullptr) return refuse(node);
  std::size_t index = 0;
  for (const toml::node& entry : *list) {
    if (const toml::table* table = entry.as_table())
      read_node(*table, index, draft);
    else
      refuse(entry);
    ++index;
  }
}

/// What is wrong with a line of [lane.groups], or "".
std::string fault_of(std::string_view name, const toml::node& lane) {
  const std::string what = std::string(kLaneGroups) + ": ";
  const std::string line = in_quotes(name) + " = " + shown(lane);
  if (name.empty()) return what + line + " is of a group without a name";
  if (name.size() > kGroupNameBytesMax) {
    return what + "the name " + in_quotes(name.substr(0, 32)) + "... has " +
           std::to_string(name.size()) + " bytes";
  }
  const auto number = lane.value_exact<std::int64_t>();
  if (number && *number >= 0 && *number < static_cast<std::int64_t>(kLanesMax)) return "";
  return what + line + " is not a lane";
}

/// [lane.groups]: its keys are names.
void read_lane_groups(const toml::node& node, Draft& draft) {
  draft.places.emplace(kLaneGroups, place_of(node.source()));
  const toml::table* table = node.as_table();
  if (table == nullptr) {
    draft.error(place_of(node.source()),
                std::string(kLaneGroups) + " = " + shown(node) + " is not a table",
                lane_groups_allowed(), "[lane.groups] on a line of its own, then \"NAME\" = LANE");
    return;
  }
  for (auto&& [key, lane] : *table) {
    const std::string name(key.str());
    const Place place = place_of(key.source());
    if (std::string fault = fault_of(name, lane); !fault.empty()) {
      draft.error(place, std::move(fault), lane_groups_allowed(),
                  lane.is_table() ? "a name with dots goes in quotes: \"" + name + ".x\" = 0"
                                  : "write it as in: \"orders\" = 0");
      continue;
    }
    const std::string full = std::string(kLaneGroups) + "." + name;
    draft.places.emplace(full, place);
    draft.config.lane.groups.push_back(
        {.name = name, .lane = static_cast<LaneId>(*lane.value_exact<std::int64_t>())});
  }
  std::ranges::sort(draft.config.lane.groups, {}, &GroupLane::name);
}

std::vector<std::string> tables() {
  std::vector<std::string> out;
  for (const Key& key : schema()) {
    std::string table(key.name.substr(0, key.name.find('.')));
    if (out.empty() || out.back() != table) out.push_back(std::move(table));
  }
  return out;
}

std::vector<std::string> keys_of(std::string_view table) {
  std::vector<std::string> out;
  const std::string prefix = std::string(table) + ".";
  for (const Key& key : schema()) {
    if (key.name.starts_with(prefix)) out.emplace_back(key.name.substr(prefix.size()));
  }
  if (table == "cluster") out.emplace_back("nodes");
  if (table == "lane") out.emplace_back("groups");
  return out;
}

void read_table(std::string_view name, const toml::table& table, Draft& draft) {
  const std::vector<std::string> known = keys_of(name);
  for (auto&& [key, node] : table) {
    const std::string full = std::string(name) + "." + std::string(key.str());
    if (full == "cluster.nodes") {
      read_nodes(node, draft);
    } else if (full == kLaneGroups) {
      read_lane_groups(node, draft);
    } else if (const Key* row = find_key(full)) {
      KeyReader(*row, node, draft).read();
    } else if (node.is_table() && !keys_of(full).empty()) {
      read_table(full, *node.as_table(), draft);
    } else {
      unknown(draft, place_of(key.source()), "key", key.str(), known, std::string(name) + ".");
    }
  }
}

}  // namespace

void read_toml(std::string_view text, Draft& draft) {
  toml::table root;
  try {
    root = toml::parse(text, std::string_view(draft.config.file));
  } catch (const toml::parse_error& error) {
    const std::string_view what = error.description();
    const bool twice = what.find("redefine") != std::string_view::npos;
    draft.error(place_of(error.source()), std::string(what),
                twice ? "each key and each table once" : "TOML 1.0",
                twice ? "take one of the two out"
                      : "text goes in quotes, tables begin with [name], comments with #");
    return;
  }
  const std::vector<std::string> known = tables();
  for (auto&& [name, node] : root) {
    if (std::ranges::find(known, name.str()) == known.end()) {
      unknown(draft, place_of(name.source()), node.is_table() ? "table" : "key", name.str(), known,
              "");
    } else if (const toml::table* table = node.as_table()) {
      read_table(name.str(), *table, draft);
    } else {
      draft.error(place_of(name.source()),
                  std::string(name.str()) + " = " + shown(node) + " is not a table",
                  "[" + std::string(name.str()) + "] on a line of its own, then its keys",
                  "phalanx config init prints a file to start from");
    }
  }
}

}  // namespace phalanx::config

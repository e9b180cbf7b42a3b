#include <array>

#include "config/schema.h"
#include "config/schema_values.h"
#include "config/value.h"

namespace phalanx::config {
namespace {

Value on_or_off(bool on) { return words(on ? "on" : "off"); }

WaitForAll wait_of(const Value& v) {
  if (v.text == "on") return WaitForAll::On;
  return v.text == "off" ? WaitForAll::Off : WaitForAll::Auto;
}

TieBreaker tie_breaker_of(const Value& v) {
  if (v.text == "lowest") return TieBreaker::Lowest;
  if (v.text == "highest") return TieBreaker::Highest;
  return v.text == "list" ? TieBreaker::List : TieBreaker::Off;
}

std::optional<Endpoint> device_of(const Value& v) {
  const auto endpoint = parse_endpoint(v.text);
  return endpoint ? std::optional(*endpoint) : std::nullopt;
}

const std::array kKeys{
    Key{.name = "quorum.policy",
        .kind = Kind::Choice,
        .fallback = "majority",
        .choices = "majority|off",
        .cluster_part = true,
        .text = "Which views are quorate: those with a majority of the votes, or all of them. "
                "Messages flow in every view; quorum tells applications whether to act.",
        .store = [](Config& c, const Value& v) { c.quorum.enabled = v.text != "off"; },
        .read = [](const Config& c) { return words(c.quorum.enabled ? "majority" : "off"); }},
    Key{.name = "quorum.expected_votes",
        .kind = Kind::Integer,
        .fallback = "0",
        .min = 0,
        .max = 1000000,
        .cluster_part = true,
        .text = "Votes of which a majority is needed. 0: the sum of the votes of all nodes. More: "
                "so many votes more can be away. Fewer could split the cluster and is refused.",
        .store =
            [](Config& c, const Value& v) {
              c.quorum.expected_votes = static_cast<std::uint32_t>(v.number);
            },
        .read = [](const Config& c) { return number(c.quorum.expected_votes); }},
    Key{.name = "quorum.two_node",
        .kind = Kind::Choice,
        .fallback = "off",
        .choices = "off|on",
        .cluster_part = true,
        .text = "Two nodes of which one is enough. When the network between them fails both are "
                "quorate: only for pairs where each fences the other before it acts.",
        .store = [](Config& c, const Value& v) { c.quorum.two_node = v.text == "on"; },
        .read = [](const Config& c) { return on_or_off(c.quorum.two_node); }},
    Key{.name = "quorum.wait_for_all",
        .kind = Kind::Choice,
        .fallback = "auto",
        .choices = "auto|on|off",
        .cluster_part = true,
        .text = "on: nodes that start are not quorate before all have been in one view, unless "
                "they find a member that was. auto: on with two_node or last_man_standing.",
        .store = [](Config& c, const Value& v) { c.quorum.wait_for_all = wait_of(v); },
        .read = [](const Config& c) { return words(to_string(c.quorum.wait_for_all)); }},
    Key{.name = "quorum.last_man_standing",
        .kind = Kind::Choice,
        .fallback = "off",
        .choices = "off|on",
        .cluster_part = true,
        .text = "on: what is needed is a majority of the last quorate view that lasted for the "
                "window, so that a cluster may lose one node after the other. Down to two nodes, "
                "or to one with a tie-breaker.",
        .store = [](Config& c, const Value& v) { c.quorum.last_man_standing = v.text == "on"; },
        .read = [](const Config& c) { return on_or_off(c.quorum.last_man_standing); }},
    Key{.name = "quorum.last_man_standing_window",
        .kind = Kind::Duration,
        .fallback = "10s",
        .min = 10 * kMs,
        .max = 3600 * kSec,
        .cluster_part = true,
        .text = "How long a quorate view must last before its majority is what counts.",
        .store =
            [](Config& c, const Value& v) {
              c.quorum.last_man_standing_window = static_cast<TimeNs>(v.number);
            },
        .read = [](const Config& c) { return number(c.quorum.last_man_standing_window); }},
    Key{.name = "quorum.auto_tie_breaker",
        .kind = Kind::Choice,
        .fallback = "off",
        .choices = "off|lowest|highest|list",
        .cluster_part = true,
        .text = "Who makes exactly half of the votes quorate: the node with the lowest or highest "
                "id, or the first of tie_breaker_nodes. The other half never is.",
        .store = [](Config& c, const Value& v) { c.quorum.tie_breaker = tie_breaker_of(v); },
        .read = [](const Config& c) { return words(to_string(c.quorum.tie_breaker)); }},
    Key{.name = "quorum.tie_breaker_nodes",
        .kind = Kind::Ids,
        .fallback = "[]",
        .cluster_part = true,
        .text = "Node ids for auto_tie_breaker = \"list\": the first that has a vote decides. The "
                "others only matter with last_man_standing.",
        .store = [](Config& c, const Value& v) { c.quorum.tie_breaker_nodes = v.ids; },
        .read = [](const Config& c) { return Value{.ids = c.quorum.tie_breaker_nodes}; }},
    Key{.name = "quorum.device.address",
        .kind = Kind::Address,
        .fallback = "",
        .cluster_part = true,
        .text = "Where phalanx-arbiter listens, on a host that is no node. It gives its votes to "
                "one side of a split only. Empty: there is no quorum device.",
        .store = [](Config& c, const Value& v) { c.quorum.device = device_of(v); },
        .read =
            [](const Config& c) {
              return words(c.quorum.device ? to_string(*c.quorum.device) : "");
            }},
    Key{.name = "quorum.device.votes",
        .kind = Kind::Integer,
        .fallback = "1",
        .min = 1,
        .max = 1000,
        .cluster_part = true,
        .text = "Votes of the quorum device, where quorum.device.address is given. They are "
                "expected always, so fewer than those of all nodes together.",
        .store =
            [](Config& c, const Value& v) {
              c.quorum.device_votes = static_cast<std::uint32_t>(v.number);
            },
        .read = [](const Config& c) { return number(c.quorum.device_votes); }},
};

}  // namespace

std::span<const Key> quorum_keys() noexcept { return kKeys; }

}  // namespace phalanx::config

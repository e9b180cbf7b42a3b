#include <array>

#include "config/schema.h"
#include "config/schema_values.h"

namespace phalanx::config {
namespace {

const std::array kKeys{
    Key{.name = "transport.second.kind",
        .kind = Kind::Choice,
        .fallback = "none",
        .choices = "none|udp|dpdk",
        .cluster_part = true,
        .text = "A second network between all nodes, beside transport.kind: udp through the "
                "kernel's sockets, or dpdk through transport.second.port, at the `second` address "
                "of each cluster.nodes entry. Loss of one network changes no view.",
        .store =
            [](Config& c, const Value& v) {
              c.transport.second.enabled = v.text != "none";
              c.transport.second.kind = v.text == "dpdk" ? TransportKind::Dpdk : TransportKind::Udp;
            },
        .read =
            [](const Config& c) {
              const SecondSection& second = c.transport.second;
              return words(second.enabled ? to_string(second.kind) : "none");
            }},
    Key{.name = "transport.second.port",
        .kind = Kind::Text,
        .fallback = "",
        .text = "With transport.second.kind = dpdk: a device as DPDK names it, like 0000:3b:00.1, "
                "that reaches all nodes on the second network; another one than transport.port.",
        .store = [](Config& c, const Value& v) { c.transport.second.port = v.text; },
        .read = [](const Config& c) { return words(c.transport.second.port); }},
    Key{.name = "transport.second.vlan",
        .kind = Kind::Integer,
        .fallback = "0",
        .min = 0,
        .max = 4094,
        .text = "As transport.vlan, for transport.second.port.",
        .store = [](Config& c, const Value& v) { c.transport.second.vlan = as<std::uint16_t>(v); },
        .read = [](const Config& c) { return number(c.transport.second.vlan); }},
    Key{.name = "transport.second.use",
        .kind = Kind::Choice,
        .fallback = "healthiest",
        .choices = "healthiest|both",
        .cluster_part = true,
        .text = "healthiest: frames go over the first network while all nodes hear one another "
                "there, else over the second. both: each goes over both, which loses nothing when "
                "one breaks, and costs twice the sending.",
        .store = [](Config& c, const Value& v) { c.transport.second.both = v.text == "both"; },
        .read =
            [](const Config& c) { return words(c.transport.second.both ? "both" : "healthiest"); }},
    Key{.name = "transport.second.multicast",
        .kind = Kind::Address,
        .fallback = "",
        .cluster_part = true,
        .text = "As transport.multicast, for the second network: in the family of the nodes' "
                "`second` addresses. Empty: one copy a peer.",
        .store = [](Config& c,
                    const Value& v) { c.transport.second.multicast = endpoint_or_none(v); },
        .read = [](const Config& c) { return written(c.transport.second.multicast); }},
};

}  // namespace

std::span<const Key> second_keys() noexcept { return kKeys; }

}  // namespace phalanx::config

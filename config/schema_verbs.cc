#include <array>

#include "config/schema.h"
#include "config/schema_values.h"

namespace phalanx::config {
namespace {

const std::array kKeys{
    Key{.name = "transport.verbs.device",
        .kind = Kind::Text,
        .fallback = "",
        .text = "With verbs: the RDMA device, as ibv_devices lists it: mlx5_0, rxe0. Empty: the "
                "one that has this node's address; where several have it, one must be named.",
        .store = [](Config& c, const Value& v) { c.transport.verbs.device = v.text; },
        .read = [](const Config& c) { return words(c.transport.verbs.device); }},
    Key{.name = "transport.verbs.port",
        .kind = Kind::Integer,
        .fallback = "0",
        .min = 0,
        .max = 255,
        .text = "With verbs: the port of the device, from 1. 0: the one that has this node's "
                "address.",
        .store = [](Config& c, const Value& v) { c.transport.verbs.port = as<std::uint8_t>(v); },
        .read = [](const Config& c) { return number(c.transport.verbs.port); }},
    Key{.name = "transport.verbs.gid_index",
        .kind = Kind::Integer,
        .fallback = "-1",
        .min = -1,
        .max = 255,
        .text = "With verbs: which entry of the port's GID table is used; it must hold this node's "
                "address as RoCE v2. -1: the first that does.",
        .store = [](Config& c,
                    const Value& v) { c.transport.verbs.gid_index = as<std::int32_t>(v); },
        .read = [](const Config& c) { return Value{.number = c.transport.verbs.gid_index}; }},
    Key{.name = "transport.verbs.pkey",
        .kind = Kind::Integer,
        .fallback = "65535",
        .min = 0x8001,
        .max = 0xffff,
        .cluster_part = true,
        .text = "With verbs: the partition, as a full member (upper bit set: limited members "
                "cannot hear one another): on InfiniBand that of the interface with this node's "
                "address. RoCE has 0xffff (65535) only.",
        .store = [](Config& c, const Value& v) { c.transport.verbs.pkey = as<std::uint16_t>(v); },
        .read = [](const Config& c) { return number(c.transport.verbs.pkey); }},
    Key{.name = "transport.verbs.qkey",
        .kind = Kind::Integer,
        .fallback = "7911",
        .min = 1,
        .max = 0x7fffffff,
        .cluster_part = true,
        .text = "With verbs: what a packet must carry to be received; another one for each cluster "
                "of a fabric. Keys with the upper bit are the kernel's own.",
        .store = [](Config& c, const Value& v) { c.transport.verbs.qkey = as<std::uint32_t>(v); },
        .read = [](const Config& c) { return number(c.transport.verbs.qkey); }},
    Key{.name = "transport.verbs.service_level",
        .kind = Kind::Integer,
        .fallback = "0",
        .min = 0,
        .max = 15,
        .text = "With verbs: the service level of all frames; on Ethernet the priority, 0 to 7; on "
                "InfiniBand of unicast, as multicast has its group's.",
        .store = [](Config& c,
                    const Value& v) { c.transport.verbs.service_level = as<std::uint8_t>(v); },
        .read = [](const Config& c) { return number(c.transport.verbs.service_level); }},
    Key{.name = "transport.verbs.queue",
        .kind = Kind::Integer,
        .fallback = "4096",
        .min = 128,
        .max = 32768,
        .text = "With verbs: frames that wait in the receive queue and in the send queue. Windows "
                "are kept below half of it, as a node's own multicasts take the other half.",
        .store = [](Config& c, const Value& v) { c.transport.verbs.queue = as<std::uint32_t>(v); },
        .read = [](const Config& c) { return number(c.transport.verbs.queue); }},
};

}  // namespace

std::span<const Key> verbs_keys() noexcept { return kKeys; }

}  // namespace phalanx::config

#include "config/schema.h"
#include "config/schema_values.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace phalanx::config {
namespace {

constexpr std::int64_t kKiB = 1 << 10;
constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kGiB = 1 << 30;

TransportKind transport_of(const Value& v) {
  if (v.text == "verbs") return TransportKind::Verbs;
  if (v.text == "shm") return TransportKind::Shm;
  return v.text == "dpdk" ? TransportKind::Dpdk : TransportKind::Udp;
}

const std::array kKeys{
    Key{.name = "node.id",
        .kind = Kind::Integer,
        .fallback = "0",
        .min = 0,
        .max = 4294967295,
        .text = "Which entry of cluster.nodes this host is. 0 or absent: the entry whose name is "
                "the instance (--instance), so that several nodes of one host share a file.",
        .store = [](Config& c, const Value& v) { c.node.id = as<NodeId>(v); },
        .read = [](const Config& c) { return number(c.node.id); }},
    Key{.name = "node.instance",
        .kind = Kind::Name,
        .fallback = "default",
        .text = "Sub-directory of the runtime directory that holds this node's sockets, and its "
                "name for `phalanx --instance`. --instance on the command line wins.",
        .store = [](Config& c, const Value& v) { c.node.instance = v.text; },
        .read = [](const Config& c) { return words(c.node.instance); }},
    Key{.name = "node.management",
        .kind = Kind::Address,
        .fallback = "",
        .text =
            "Address of this node's control plane on a network other than the data path's. "
            "Proof of a death travels there. Empty: the one of this node's cluster.nodes entry.",
        .store = [](Config& c, const Value& v) { c.node.management = endpoint_or_none(v); },
        .read = [](const Config& c) { return written(c.node.management); }},
    Key{.name = "node.state_directory",
        .kind = Kind::Path,
        .fallback = "",
        .text =
            "Where the reserve of view sequences is kept over restarts. Empty: "
            "/var/lib/phalanx for root, else $XDG_STATE_HOME/phalanx or ~/.local/state/phalanx.",
        .store = [](Config& c, const Value& v) { c.node.state_directory = v.text; },
        .read = [](const Config& c) { return words(c.node.state_directory); }},
    Key{.name = "node.runtime_directory",
        .kind = Kind::Path,
        .fallback = "",
        .text = "Where the sockets are, one sub-directory an instance. Empty: /run/phalanx for "
                "root, else $XDG_RUNTIME_DIR/phalanx or /tmp/phalanx-UID. $PHX_RUNTIME_DIR wins.",
        .store = [](Config& c, const Value& v) { c.node.runtime_directory = v.text; },
        .read = [](const Config& c) { return words(c.node.runtime_directory); }},

    Key{.name = "cluster.name",
        .kind = Kind::Name,
        .fallback = "phalanx",
        .cluster_part = true,
        .text = "Tells clusters on one network apart.",
        .store = [](Config& c, const Value& v) { c.cluster.name = v.text; },
        .read = [](const Config& c) { return words(c.cluster.name); }},
    Key{.name = "cluster.key_file",
        .kind = Kind::Path,
        .fallback = "/etc/phalanx/cluster.key",
        .text = "The cluster's secret, the same file on every node, readable by its owner only. "
                "`phalanx key generate` makes one.",
        .store = [](Config& c, const Value& v) { c.cluster.key_file = v.text; },
        .read = [](const Config& c) { return words(c.cluster.key_file); }},
    Key{.name = "cluster.encryption",
        .kind = Kind::Choice,
        .fallback = "aes-256-gcm",
        .choices = "aes-256-gcm|insecure",
        .cluster_part = true,
        .text = "insecure sends everything in clear and believes every frame: for measurements "
                "on a private network only.",
        .store = [](Config& c, const Value& v) { c.cluster.insecure = v.text == "insecure"; },
        .read =
            [](const Config& c) { return words(c.cluster.insecure ? "insecure" : "aes-256-gcm"); }},
    Key{.name = "cluster.lanes",
        .kind = Kind::Integer,
        .fallback = "1",
        .min = 1,
        .max = static_cast<std::int64_t>(kLanesMax),
        .cluster_part = true,
        .text = "Independent total orders. A group lives in one lane; order is promised within a "
                "lane only. Each lane needs log memory of its own.",
        .store = [](Config& c, const Value& v) { c.cluster.lanes = as<LaneId>(v); },
        .read = [](const Config& c) { return number(c.cluster.lanes); }},
    Key{.name = "cluster.max_message",
        .kind = Kind::Size,
        .fallback = "1MiB",
        .min = 1 * kKiB,
        .max = 16 * kMiB,
        .cluster_part = true,
        .text = "Longest message that a client may send. A lane's log holds two of them.",
        .store = [](Config& c, const Value& v) { c.cluster.max_message = as<std::uint32_t>(v); },
        .read = [](const Config& c) { return number(c.cluster.max_message); }},
    Key{.name = "cluster.dead_after",
        .kind = Kind::Duration,
        .fallback = "50ms",
        .min = 5 * kMs,
        .max = 60 * kSec,
        .cluster_part = true,
        .reloadable = true,
        .text =
            "A node whose data plane and control plane are both silent this long is left out "
            "of the view. Smaller: quicker fail-over, more false alarms on a loaded host. A step "
            "of a view change may take as long, from 100 ms to 5 s.",
        .store = [](Config& c, const Value& v) { c.cluster.dead_after = as<TimeNs>(v); },
        .read = [](const Config& c) { return number(c.cluster.dead_after); }},
    Key{.name = "cluster.stall_after",
        .kind = Kind::Duration,
        .fallback = "500ms",
        .min = 5 * kMs,
        .max = 600 * kSec,
        .cluster_part = true,
        .reloadable = true,
        .text = "The same for a silent data plane while its control plane vouches for it, and for "
                "a node that stops making progress. At least dead_after.",
        .store = [](Config& c, const Value& v) { c.cluster.stall_after = as<TimeNs>(v); },
        .read = [](const Config& c) { return number(c.cluster.stall_after); }},
    Key{.name = "cluster.hold_min",
        .kind = Kind::Duration,
        .fallback = "50ms",
        .min = 1 * kMs,
        .max = 60 * kSec,
        .cluster_part = true,
        .reloadable = true,
        .text = "How long a larger set of nodes must be stable before a view is left for it. "
                "Doubles with each change, up to hold_max.",
        .store = [](Config& c, const Value& v) { c.cluster.hold_min = as<TimeNs>(v); },
        .read = [](const Config& c) { return number(c.cluster.hold_min); }},
    Key{.name = "cluster.hold_max",
        .kind = Kind::Duration,
        .fallback = "5s",
        .min = 1 * kMs,
        .max = 600 * kSec,
        .cluster_part = true,
        .reloadable = true,
        .text = "Where the doubling of hold_min ends. At least hold_min.",
        .store = [](Config& c, const Value& v) { c.cluster.hold_max = as<TimeNs>(v); },
        .read = [](const Config& c) { return number(c.cluster.hold_max); }},

    Key{.name = "transport.kind",
        .kind = Kind::Choice,
        .fallback = "udp",
        .choices = "udp|shm|dpdk|verbs",
        .cluster_part = true,
        .text = "How frames travel: udp through the kernel's sockets; shm between the nodes of one "
                "host, in memory that each writes and the others read (they meet in the runtime "
                "directory); dpdk without the kernel, through transport.port; verbs through an "
                "RDMA adapter (RoCE v2, InfiniBand).",
        .store = [](Config& c, const Value& v) { c.transport.kind = transport_of(v); },
        .read = [](const Config& c) { return words(to_string(c.transport.kind)); }},
    Key{.name = "transport.multicast",
        .kind = Kind::Address,
        .fallback = "",
        .cluster_part = true,
        .text = "Multicast group and port for what goes to all members, in the address family of "
                "the nodes. Empty: one copy a peer.",
        .store = [](Config& c, const Value& v) { c.transport.multicast = endpoint_or_none(v); },
        .read = [](const Config& c) { return written(c.transport.multicast); }},
    Key{.name = "transport.mtu",
        .kind = Kind::Size,
        .fallback = "1500B",
        .min = 1280,
        .max = 9216,
        .cluster_part = true,
        .text = "Largest IP packet of the path between all nodes.",
        .store = [](Config& c, const Value& v) { c.transport.mtu = as<std::uint32_t>(v); },
        .read = [](const Config& c) { return number(c.transport.mtu); }},
    Key{.name = "transport.receive_buffer",
        .kind = Kind::Size,
        .fallback = "8MiB",
        .min = 128 * kKiB,
        .max = 1 * kGiB,
        .text = "Asked of the kernel for the socket. At least lane.window and the submit windows "
                "of all nodes together. Without root, net.core.rmem_max bounds it.",
        .store = [](Config& c,
                    const Value& v) { c.transport.receive_buffer = as<std::uint32_t>(v); },
        .read = [](const Config& c) { return number(c.transport.receive_buffer); }},
    Key{.name = "transport.busy_poll",
        .kind = Kind::Duration,
        .fallback = "0ns",
        .min = 0,
        .max = kMs,
        .text = "With udp: how long a read of an empty socket polls the adapter's queue itself "
                "(SO_BUSY_POLL, SO_PREFER_BUSY_POLL), in whole microseconds, so that no interrupt "
                "has to wake anybody; 0: not. For a worker with a core of its own on an adapter "
                "whose driver knows it. Older kernels want root or CAP_NET_ADMIN.",
        .store = [](Config& c, const Value& v) { c.transport.busy_poll = as<TimeNs>(v); },
        .read = [](const Config& c) { return number(c.transport.busy_poll); }},
    Key{.name = "transport.port",
        .kind = Kind::Text,
        .fallback = "memif",
        .text = "With dpdk: memif joins the nodes of this host through shared memory, by sockets "
                "in the runtime directory; or a device as DPDK names it, like "
                "0000:3b:00.0 or net_af_packet0,iface=eth1, that reaches all nodes.",
        .store = [](Config& c, const Value& v) { c.transport.port = v.text; },
        .read = [](const Config& c) { return words(c.transport.port); }},
    Key{.name = "transport.vlan",
        .kind = Kind::Integer,
        .fallback = "0",
        .min = 0,
        .max = 4094,
        .text =
            "With dpdk on a device: number of the 802.1Q virtual LAN that every packet carries; "
            "0: none, and only packets without a tag are taken.",
        .store = [](Config& c, const Value& v) { c.transport.vlan = as<std::uint16_t>(v); },
        .read = [](const Config& c) { return number(c.transport.vlan); }},
    Key{.name = "transport.eal",
        .kind = Kind::Text,
        .fallback = "",
        .text = "With dpdk: further words for DPDK's command line, like -m 64, or --no-huge to do "
                "without hugepages. Cores, devices and files are not for them to say.",
        .store = [](Config& c, const Value& v) { c.transport.eal = v.text; },
        .read = [](const Config& c) { return words(c.transport.eal); }},

    Key{.name = "lane.log",
        .kind = Kind::Size,
        .fallback = "4MiB",
        .min = 64 * kKiB,
        .max = 4 * kGiB,
        .power_of_two = true,
        .cluster_part = true,
        .text = "Memory for a lane's ordered log, at least: it is made large enough for two "
                "messages of cluster.max_message, lane.window and lane.submit_window of every "
                "node. The smaller, the more of it stays in the cache. Locked in memory where "
                "transport.kind is verbs and cluster.encryption insecure.",
        .store = [](Config& c, const Value& v) { c.lane.log = as<std::uint64_t>(v); },
        .read = [](const Config& c) { return number(c.lane.log); }},
    Key{.name = "lane.window",
        .kind = Kind::Size,
        .fallback = "512KiB",
        .min = 16 * kKiB,
        .max = 256 * kMiB,
        .cluster_part = true,
        .text = "Most bytes of ordered log between what the orderer sent and what every member "
                "has received.",
        .store = [](Config& c, const Value& v) { c.lane.window = as<std::uint32_t>(v); },
        .read = [](const Config& c) { return number(c.lane.window); }},
    Key{.name = "lane.submit_window",
        .kind = Kind::Size,
        .fallback = "256KiB",
        .min = 8 * kKiB,
        .max = 64 * kMiB,
        .cluster_part = true,
        .text = "Most bytes that each node has on their way to the orderer.",
        .store = [](Config& c, const Value& v) { c.lane.submit_window = as<std::uint32_t>(v); },
        .read = [](const Config& c) { return number(c.lane.submit_window); }},

    Key{.name = "client.ring",
        .kind = Kind::Size,
        .fallback = "1MiB",
        .min = 64 * kKiB,
        .max = 64 * kMiB,
        .power_of_two = true,
        .text = "Size of each of the two rings between a client and the data plane.",
        .store = [](Config& c, const Value& v) { c.client.ring = as<std::uint32_t>(v); },
        .read = [](const Config& c) { return number(c.client.ring); }},
    Key{.name = "client.slow_policy",
        .kind = Kind::Choice,
        .fallback = "evict",
        .choices = "evict|throttle",
        .reloadable = true,
        .text = "What happens to a client whose delivery ring is full: evict takes it out of all "
                "its groups, once the log is full too and has been for cluster.dead_after; "
                "throttle makes the whole cluster wait for it, at most throttle_max.",
        .store =
            [](Config& c, const Value& v) {
              c.client.slow_policy =
                  v.text == "throttle" ? SlowPolicy::Throttle : SlowPolicy::Evict;
            },
        .read = [](const Config& c) { return words(to_string(c.client.slow_policy)); }},
    Key{.name = "client.throttle_max",
        .kind = Kind::Duration,
        .fallback = "100ms",
        .min = 1 * kMs,
        .max = 10 * kSec,
        .reloadable = true,
        .text = "With slow_policy throttle: how long the cluster waits for a client before it is "
                "evicted.",
        .store = [](Config& c, const Value& v) { c.client.throttle_max = as<TimeNs>(v); },
        .read = [](const Config& c) { return number(c.client.throttle_max); }},
    Key{.name = "client.uids",
        .kind = Kind::Ids,
        .fallback = "[]",
        .reloadable = true,
        .text = "Users that may attach, by number. Root and the daemon's own user always may.",
        .store = [](Config& c, const Value& v) { c.client.uids = v.ids; },
        .read = [](const Config& c) { return Value{.ids = c.client.uids}; }},
    Key{.name = "client.gids",
        .kind = Kind::Ids,
        .fallback = "[]",
        .reloadable = true,
        .text = "Groups whose processes may attach, by number.",
        .store = [](Config& c, const Value& v) { c.client.gids = v.ids; },
        .read = [](const Config& c) { return Value{.ids = c.client.gids}; }},
    Key{.name = "client.max",
        .kind = Kind::Integer,
        .fallback = "64",
        .min = 1,
        .max = 1024,
        .text = "Most clients attached at once.",
        .store = [](Config& c, const Value& v) { c.client.max = as<std::uint32_t>(v); },
        .read = [](const Config& c) { return number(c.client.max); }},

    Key{.name = "metrics.listen",
        .kind = Kind::Address,
        .fallback = "",
        .text = "Where phalanx-metrics(8) serves /metrics, /status.json, /healthz and /readyz over "
                "HTTP: a port of the loopback interface, usually 127.0.0.1:9464. Empty: it is not "
                "started.",
        .store = [](Config& c, const Value& v) { c.metrics.listen = endpoint_or_none(v); },
        .read = [](const Config& c) { return written(c.metrics.listen); }},
    Key{.name = "metrics.user",
        .kind = Kind::Name,
        .fallback = "nobody",
        .text = "User that phalanx-metrics becomes when root starts it. That user may look at "
                "this node, and do nothing else.",
        .store = [](Config& c, const Value& v) { c.metrics.user = v.text; },
        .read = [](const Config& c) { return words(c.metrics.user); }},
};

constexpr std::array kNodeKeys{
    NodeKey{"id", "1 to 4294967295, another one for each node", true,
            "The node's number. It never changes and is never given to another host."},
    NodeKey{"name", "letters, digits, '-', '_' and '.', at most 63", false,
            "Its name in listings and for --instance; \"n\" and the id when absent."},
    NodeKey{"address", "\"10.0.0.1:5405\" or \"[fd00::1]:5405\"", true,
            "Where its data path listens. Numeric: a cluster must come up without name service."},
    NodeKey{"second", "\"10.2.0.1:5405\" or \"[fd02::1]:5405\"", false,
            "Where its data path listens on the second network: with transport.second.kind, and "
            "then on every node."},
    NodeKey{"management", "\"10.1.0.1:5406\" or \"[fd01::1]:5406\"", false,
            "Where its control plane listens, best on another network."},
    NodeKey{"votes", "0 to 1000", false,
            "Its votes for quorum; 1 when absent. 0: it may be in a view, but decides nothing."},
};

}  // namespace

std::span<const Key> schema() noexcept {
  static const std::vector<Key> all = [] {
    std::vector<Key> keys(kKeys.begin(), kKeys.end());
    // Keys of one table stand together, as in a file.
    const auto lane =
        std::ranges::find_if(keys, [](const Key& key) { return key.name.starts_with("lane."); });
    const auto second = keys.insert(lane, verbs_keys().begin(), verbs_keys().end());
    keys.insert(second, second_keys().begin(), second_keys().end());
    const auto metrics =
        std::ranges::find_if(keys, [](const Key& key) { return key.name.starts_with("metrics."); });
    const auto worker = keys.insert(metrics, worker_keys().begin(), worker_keys().end());
    keys.insert(worker, client_keys().begin(), client_keys().end());
    keys.insert(keys.end(), log_keys().begin(), log_keys().end());
    keys.insert(keys.end(), quorum_keys().begin(), quorum_keys().end());
    return keys;
  }();
  return all;
}
std::span<const NodeKey> node_schema() noexcept { return kNodeKeys; }

}  // namespace phalanx::config

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"

namespace phalanx::config {

/// A numeric IP address and a port, checked when it was parsed: "10.0.0.1:5405", "[fe80::1]:5405".
struct Endpoint {
  std::string host;  ///< Without brackets; inet_pton() takes it.
  std::uint16_t port = 0;
  bool is_ipv6 = false;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// "10.0.0.1:5405" or "[::1]:5405".
[[nodiscard]] std::string to_string(const Endpoint& endpoint);

/// One [[cluster.nodes]] table.
struct ClusterNode {
  NodeId id = 0;
  std::string name;
  Endpoint address;                    ///< Of the data path.
  std::optional<Endpoint> second;      ///< Of the data path on a second network.
  std::optional<Endpoint> management;  ///< Kernel UDP between control planes.
  std::uint32_t votes = 1;

  friend bool operator==(const ClusterNode&, const ClusterNode&) = default;
};

enum class TransportKind : std::uint8_t { Udp, Shm, Dpdk, Verbs };
enum class SlowPolicy : std::uint8_t { Evict, Throttle };
enum class IdleStrategy : std::uint8_t { Busy, Adaptive, Sleep };
enum class LogLevel : std::uint8_t { Error, Warn, Info, Debug };
enum class WaitForAll : std::uint8_t { Auto, On, Off };
enum class TieBreaker : std::uint8_t { Off, Lowest, Highest, List };

struct NodeSection {
  NodeId id = 0;         ///< Never 0 in a Config from load().
  std::string name;      ///< Of this node's entry in cluster.nodes.
  std::string instance;  ///< Sub-directory of the runtime directory; "default" unless given.
  Endpoint address;      ///< Copied from this node's entry in cluster.nodes.
  std::optional<Endpoint> second;      ///< Likewise; always with transport.second.
  std::optional<Endpoint> management;  ///< node.management, or that of the node's entry.
  std::string state_directory;
  std::string runtime_directory;  ///< Already resolved: environment, file, or default.
};

/// The cluster part: equal on all nodes, or they keep each other out (see cluster_hash()).
struct ClusterSection {
  std::string name;
  std::string key_file;
  bool insecure = false;  ///< cluster.encryption = "insecure": no cipher at all.
  LaneId lanes = 1;
  std::uint32_t max_message = 0;  ///< Bytes.
  TimeNs dead_after = 0;
  TimeNs stall_after = 0;
  TimeNs hold_min = 0;
  TimeNs hold_max = 0;
  std::vector<ClusterNode> nodes;  ///< Sorted by id; holds this node.
};

/// The adapter and the queue pair of transport.kind = "verbs".
struct VerbsSection {
  std::string device;           ///< "mlx5_0"; empty: whichever has the node's address.
  std::uint8_t port = 0;        ///< 0: whichever has it.
  std::int32_t gid_index = -1;  ///< -1: the first with the address.
  std::uint16_t pkey = 0xffff;
  std::uint32_t qkey = 0x1ee7;
  std::uint8_t service_level = 0;
  std::uint32_t queue = 4096;  ///< Frames.
};

/// A second network beside transport.kind.
struct SecondSection {
  bool enabled = false;
  TransportKind kind = TransportKind::Udp;  ///< That, or Dpdk.
  std::string port;                         ///< For DPDK: devargs, or a PCI address.
  std::uint16_t vlan = 0;                   ///< Likewise, as TransportSection's.
  bool both = false;                        ///< Every frame goes over both networks.
  std::optional<Endpoint> multicast;
};

struct TransportSection {
  TransportKind kind = TransportKind::Udp;
  std::optional<Endpoint> multicast;  ///< Group and port, or none: one copy a peer.
  std::uint32_t mtu = 0;              ///< IP packet bytes.
  std::uint32_t receive_buffer = 0;   ///< Bytes asked of the kernel for the socket.
  TimeNs busy_poll = 0;               ///< How long an empty read polls the adapter; 0: not.
  std::string port;                   ///< For DPDK: "memif", devargs, or a PCI address.
  std::uint16_t vlan = 0;             ///< For DPDK on a device: 802.1Q number; 0: no tag.
  std::string eal;                    ///< For DPDK: further words of EAL's command line.
  VerbsSection verbs;
  SecondSection second;
};

/// Which views are quorate: controlplane/quorum. Equal on all nodes.
struct QuorumSection {
  bool enabled = true;
  std::uint32_t expected_votes = 0;  ///< 0: the sum of all votes.
  bool two_node = false;
  WaitForAll wait_for_all = WaitForAll::Auto;
  bool last_man_standing = false;
  TimeNs last_man_standing_window = 0;
  TieBreaker tie_breaker = TieBreaker::Off;
  std::vector<std::uint32_t> tie_breaker_nodes;
  std::optional<Endpoint> device;  ///< Where the quorum device is asked.
  std::uint32_t device_votes = 1;  ///< Only with `device`.

  /// What wait_for_all comes to.
  [[nodiscard]] bool waits_for_all() const noexcept {
    return wait_for_all == WaitForAll::On ||
           (wait_for_all == WaitForAll::Auto && (two_node || last_man_standing));
  }
};

/// A group that the configuration gives a lane, by its exact name.
struct GroupLane {
  std::string name;
  LaneId lane = 0;

  friend bool operator==(const GroupLane&, const GroupLane&) = default;
};

struct LaneSection {
  std::uint64_t log = 0;            ///< Bytes; a power of two.
  std::uint32_t window = 0;         ///< Bytes of ordered log in flight.
  std::uint32_t submit_window = 0;  ///< Bytes in flight of each node's submit stream.
  std::vector<GroupLane> groups;    ///< Sorted by name. All others are spread by a hash of theirs.
};

struct ClientSection {
  std::uint32_t ring = 0;  ///< Bytes of each ring of a channel; a power of two.
  SlowPolicy slow_policy = SlowPolicy::Evict;
  TimeNs throttle_max = 0;
  std::vector<std::uint32_t> uids;  ///< Users that may attach, beside root and the daemon's own.
  std::vector<std::uint32_t> gids;  ///< Groups whose processes may attach.
  std::uint32_t max = 0;
  std::uint64_t shared_log = 0;  ///< Bytes of the log that several clients read; 0: there is none.
  std::vector<std::uint32_t> shared_uids;  ///< Who may read it, beside root and the daemon's own,
  std::vector<std::uint32_t> shared_gids;  ///< and by group.
};

struct WorkerSection {
  IdleStrategy idle = IdleStrategy::Adaptive;
  std::optional<std::uint32_t> cpu;  ///< Core to pin to, or none.
  bool realtime = false;             ///< Scheduled before ordinary programs (SCHED_RR).
  std::uint32_t count = 1;           ///< At most one a lane; equal on all nodes.
  std::vector<std::uint32_t> cpus;   ///< A core for each, or empty: see cpu_of().

  /// What worker `index` is pinned to, if to anything.
  [[nodiscard]] std::optional<std::uint32_t> cpu_of(std::size_t index) const {
    if (index < cpus.size()) return cpus[index];
    return count == 1 ? cpu : std::nullopt;
  }
};

/// The process phalanx-metrics, which the control plane starts.
struct MetricsSection {
  std::optional<Endpoint> listen;  ///< Loopback; none: it is not started.
  std::string user;                ///< Whom it becomes when root starts it.
};

/// Where the log goes, as it is written; config/log_rules.h reads it.
struct LogSection {
  std::string targets;
  std::string file;
  std::string subsystems;
};

/// One node's whole configuration, checked. Plain data; the loader (config/load.h) makes it.
struct Config {
  std::string file;  ///< Where it was read from, for messages.
  NodeSection node;
  ClusterSection cluster;
  TransportSection transport;
  LaneSection lane;
  ClientSection client;
  WorkerSection worker;
  QuorumSection quorum;
  MetricsSection metrics;
  LogLevel log_level = LogLevel::Info;
  LogSection log;
};

/// A stable 64-bit hash of what keeps nodes apart unless it is equal: cluster.* without key_file
/// and times, the transport's kind, multicast, mtu, second.* and verbs' keys, lane.*, worker.count
/// and quorum.*. Never 0.
[[nodiscard]] std::uint64_t cluster_hash(const Config& config);
/// The same with what must be equal but can be changed by a reload, which asks for equal ones.
[[nodiscard]] std::uint64_t reload_hash(const Config& config);

/// "<runtime directory>/<instance>": holds phalanx.sock, dataplane.sock and admin.sock.
[[nodiscard]] std::string instance_directory(const Config& config);

/// $PHX_RUNTIME_DIR, or /run/phalanx for root, or $XDG_RUNTIME_DIR/phalanx, or /tmp/phalanx-UID.
[[nodiscard]] std::string default_runtime_directory();

[[nodiscard]] std::string_view to_string(TransportKind kind) noexcept;
[[nodiscard]] std::string_view to_string(SlowPolicy policy) noexcept;
[[nodiscard]] std::string_view to_string(IdleStrategy idle) noexcept;
[[nodiscard]] std::string_view to_string(LogLevel level) noexcept;
[[nodiscard]] std::string_view to_string(WaitForAll wait) noexcept;
[[nodiscard]] std::string_view to_string(TieBreaker tie_breaker) noexcept;

}  // namespace phalanx::config

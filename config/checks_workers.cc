#include <arpa/inet.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "config/draft.h"

namespace phalanx::config {
namespace {

std::string count_text(const WorkerSection& worker) {
  return "worker.count = " + std::to_string(worker.count);
}

void check_cores(Draft& draft) {
  const WorkerSection& worker = draft.config.worker;
  if (worker.cpus.empty()) {
    if (!worker.cpu || worker.count == 1) return;
    draft.error(draft.place({"worker.cpu"}), "worker.cpu names one core, and " + count_text(worker),
                "worker.cpus with a core for each worker",
                "write worker.cpus = [" + std::to_string(*worker.cpu) + ", ...] instead");
    return;
  }
  if (worker.cpu) {
    draft.error(draft.place({"worker.cpu"}), "worker.cpu and worker.cpus are both there",
                "one of the two", "take worker.cpu out");
  }
  if (worker.cpus.size() != worker.count) {
    draft.error(draft.place({"worker.cpus", "worker.count"}),
                "worker.cpus names " + std::to_string(worker.cpus.size()) + " cores, and " +
                    count_text(worker),
                "a core for each worker", "name as many, or set worker.count");
  }
  std::set<std::uint32_t> seen;
  for (const std::uint32_t cpu : worker.cpus) {
    if (cpu > 1023) {
      draft.error(draft.place({"worker.cpus"}), "worker.cpus names core " + std::to_string(cpu),
                  "0 to 1023", "`nproc --all` tells how many there are");
    }
    if (seen.insert(cpu).second) continue;
    draft.error(draft.place({"worker.cpus"}),
                "worker.cpus names core " + std::to_string(cpu) + " twice",
                "another core for each worker",
                "two workers on one core only take turns: lower worker.count instead");
  }
}

/// Each worker has a port of its own, the first one the configured.
void check_ports(Draft& draft) {
  const Config& config = draft.config;
  const std::uint32_t count = config.worker.count;
  const TransportKind kind = config.transport.kind;
  // Nodes of one host need none: over memif theirs are only written down.
  const bool has_ports = kind == TransportKind::Udp || kind == TransportKind::Verbs ||
                         (kind == TransportKind::Dpdk && config.transport.port != "memif");
  const std::uint32_t first = has_ports ? count : 1;
  std::set<std::pair<std::string, std::uint32_t>> taken;
  const auto take = [&](const Endpoint& endpoint, std::uint32_t ports, const std::string& what) {
    if (endpoint.port == 0) return;  // Not given, or reported by itself.
    if (endpoint.port + ports - 1 > 65535) {
      draft.error(draft.place({"worker.count"}),
                  what + " " + to_string(endpoint) + " and " + std::to_string(ports - 1) +
                      " ports above it are more than there are",
                  "a port for each worker, up to 65535", "give it a lower port");
    }
    for (std::uint32_t i = 0; i < ports; ++i) {
      if (taken.emplace(endpoint.host, endpoint.port + i).second) continue;
      draft.error(draft.place({"worker.count"}),
                  "port " + std::to_string(endpoint.port + i) + " of " + endpoint.host +
                      " is meant for two things: each of " + std::to_string(count) +
                      " workers of a node has a port, from the node's address upwards",
                  "ports apart",
                  "leave " + std::to_string(count) + " ports from each node's address free");
      return;
    }
  };
  for (const ClusterNode& node : config.cluster.nodes) take(node.address, first, node.name);
  for (const ClusterNode& node : config.cluster.nodes) {
    if (node.management) take(*node.management, 1, "the management address");
  }
  if (config.transport.multicast) take(*config.transport.multicast, first, "transport.multicast");
  for (const ClusterNode& node : config.cluster.nodes) {
    if (node.second) take(*node.second, count, node.name + "'s second address");
  }
  if (const auto& group = config.transport.second.multicast)
    take(*group, count, "transport.second.multicast");
}

/// Over RDMA a group has no port: each worker has a group of its own, that many above the first.
void check_groups(Draft& draft) {
  const Config& config = draft.config;
  const auto& group = config.transport.multicast;
  if (config.transport.kind != TransportKind::Verbs || !group) return;
  in6_addr address{};
  const int family = group->is_ipv6 ? AF_INET6 : AF_INET;
  if (inet_pton(family, group->host.c_str(), &address) != 1) return;  // Reported by itself.
  const std::uint32_t last = address.s6_addr[group->is_ipv6 ? 15 : 3];
  if (last + config.worker.count <= 256) return;
  draft.error(draft.place({"transport.multicast", "worker.count"}),
              "transport.multicast = \"" + group->host + "\" and the " +
                  std::to_string(config.worker.count - 1) +
                  " groups above it, one for each worker, run over the end of a byte",
              "a group whose last byte leaves room for worker.count groups",
              "take one that ends with a lower number on all nodes");
}

}  // namespace

void check_workers(Draft& draft) {
  const Config& config = draft.config;
  const WorkerSection& worker = config.worker;
  check_cores(draft);
  if (worker.count == 1) return;
  if (worker.count > config.cluster.lanes) {
    draft.error(draft.place({"worker.count", "cluster.lanes"}),
                count_text(worker) + ", and cluster.lanes = " +
                    std::to_string(config.cluster.lanes) + ": a lane is turned by one worker",
                "at most one worker a lane",
                "set cluster.lanes = " + std::to_string(worker.count) +
                    " or more on all nodes, or lower worker.count");
  }
  check_groups(draft);
  check_ports(draft);
}

}  // namespace phalanx::config

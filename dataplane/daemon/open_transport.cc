#include "dataplane/daemon/open_transport.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "dataplane/daemon/cpu_node.h"
#include "ipc/base/memory_node.h"
#include "transport/links/links_transport.h"
#include "transport/shm/shm_transport.h"
#include "transport/udp/udp_transport.h"
#ifdef PHX_WITH_DPDK
#include "transport/dpdk/dpdk_transport.h"
#endif
#ifdef PHX_WITH_VERBS
#include "transport/verbs/verbs_transport.h"
#endif

namespace phalanx::dataplane {
namespace {

using transport::Transports;
using Opened = Expected<std::unique_ptr<transport::Transport>, Error>;

/// Each worker has a port of its own, on every node that many above the configured one.
transport::udp::Endpoint endpoint(const config::Endpoint& from, std::size_t worker = 0) {
  return {.host = from.host, .port = static_cast<std::uint16_t>(from.port + worker)};
}

std::vector<transport::udp::Peer> peers(const config::Config& config, std::size_t worker = 0) {
  std::vector<transport::udp::Peer> out;
  for (const config::ClusterNode& node : config.cluster.nodes) {
    out.push_back({.node = node.id, .endpoint = endpoint(node.address, worker)});
  }
  return out;
}

std::optional<transport::udp::Endpoint> multicast(const std::optional<config::Endpoint>& group,
                                                  std::size_t worker = 0) {
  return group ? std::optional(endpoint(*group, worker)) : std::nullopt;
}

/// Where the memory of a worker is to come from.
std::optional<std::uint32_t> node_of(const config::Config& config, std::size_t worker) {
  const auto cpu = config.worker.cpu_of(worker);
  return cpu ? memory_node_of(*cpu) : std::nullopt;
}

Opened open_udp(const config::Config& config, const transport::udp::Endpoint& local,
                std::vector<transport::udp::Peer> peers,
                const std::optional<config::Endpoint>& group, std::size_t worker = 0) {
  auto opened = transport::udp::open(
      {.self = config.node.id,
       .local = local,
       .peers = std::move(peers),
       .multicast = multicast(group, worker),
       .mtu = config.transport.mtu,
       .receive_buffer = config.transport.receive_buffer,
       .busy_poll_us = static_cast<std::uint32_t>(config.transport.busy_poll / kMicrosecond),
       .cpu = config.worker.cpu_of(worker)});
  if (!opened) return fail(std::move(opened.error()));
  return std::unique_ptr<transport::Transport>(std::move(*opened));
}

std::vector<transport::udp::Peer> second_peers(const config::Config& config,
                                               std::size_t worker = 0) {
  std::vector<transport::udp::Peer> out;
  for (const config::ClusterNode& node : config.cluster.nodes) {
    if (node.second) out.push_back({.node = node.id, .endpoint = endpoint(*node.second, worker)});
  }
  return out;
}

Opened open_second_udp(const config::Config& config, std::size_t worker) {
  return open_udp(config, endpoint(*config.node.second, worker), second_peers(config, worker),
                  config.transport.second.multicast, worker);
}

Opened open_shm(const config::Config& config, std::size_t worker) {
  transport::shm::ShmConfig set{.self = config.node.id,
                                .nodes = {},
                                .directory = config.node.runtime_directory + "/shm." +
                                             config.cluster.name +
                                             // Which no cluster's name has.
                                             (worker == 0 ? "" : "+" + std::to_string(worker)),
                                .frame_bytes = config.transport.mtu};
  for (const config::ClusterNode& node : config.cluster.nodes) set.nodes.push_back(node.id);
  return transport::shm::open(set);
}

bool second_is_dpdk(const config::Config& config) {
  return config.transport.second.enabled &&
         config.transport.second.kind == config::TransportKind::Dpdk;
}

#ifdef PHX_WITH_DPDK
/// What both networks have in common.
transport::dpdk::DpdkConfig dpdk_config(const config::Config& config) {
  std::vector<std::optional<std::uint32_t>> nodes;
  for (std::size_t i = 0; i < config.worker.count; ++i) nodes.push_back(node_of(config, i));
  return {.self = config.node.id,
          .peers = {},
          .multicast = {},
          .port = {},
          .mtu = config.transport.mtu,
          .memif_directory = config.node.runtime_directory + "/memif." + config.cluster.name,
          .workers = config.worker.count,
          .memory_nodes = std::move(nodes),
          .eal = {.instance = config.node.instance,
                  .cpu = config.worker.cpu_of(0),
                  .pci = {},
                  .extra = config.transport.eal}};
}

Expected<Transports, Error> open_dpdk(const config::Config& config) {
  transport::dpdk::DpdkConfig dpdk = dpdk_config(config);
  dpdk.peers = peers(config);
  dpdk.multicast = multicast(config.transport.multicast);
  dpdk.port = config.transport.port;
  dpdk.vlan = config.transport.vlan;
  if (second_is_dpdk(config)) dpdk.other_ports = {config.transport.second.port};
  return transport::dpdk::open(dpdk);
}

Expected<Transports, Error> open_second_dpdk(const config::Config& config) {
  transport::dpdk::DpdkConfig dpdk = dpdk_config(config);
  dpdk.peers = second_peers(config);
  dpdk.multicast = multicast(config.transport.second.multicast);
  dpdk.port = config.transport.second.port;
  dpdk.key = "transport.second.port";
  dpdk.vlan = config.transport.second.vlan;
  return transport::dpdk::open(dpdk);
}
#else
Expected<Transports, Error> without_dpdk(const std::string& key) {
  return fail(Error{.code = ExitCode::Usage,
                    .attempted = "cannot use " + key + " = \"dpdk\"",
                    .observed = "this phalanx-dataplane was built without DPDK",
                    .remedy = "apt install libdpdk-dev, build with -Ddpdk=enabled; or set " + key +
                              " = \"udp\" on all nodes"});
}
Expected<Transports, Error> open_dpdk(const config::Config&) {
  return without_dpdk("transport.kind");
}
Expected<Transports, Error> open_second_dpdk(const config::Config&) {
  return without_dpdk("transport.second.kind");
}
#endif

#ifdef PHX_WITH_VERBS
Opened open_verbs(const config::Config& config, std::size_t worker) {
  const config::VerbsSection& verbs = config.transport.verbs;
  transport::verbs::VerbsConfig set{
      .self = config.node.id,
      .nodes = {},
      .device = verbs.device,
      .port = verbs.port,
      .gid_index = verbs.gid_index,
      .group = config.transport.multicast ? config.transport.multicast->host : std::string(),
      .worker = static_cast<std::uint8_t>(worker),
      .pkey = verbs.pkey,
      .qkey = verbs.qkey,
      .service_level = verbs.service_level,
      // The same on all nodes, whatever more one of them could send.
      .frame_bytes = transport::verbs::frame_bytes_of(config.transport.mtu),
      .depth = verbs.queue,
      .gathers = config.cluster.insecure && !config.transport.second.enabled};
  for (const config::ClusterNode& node : config.cluster.nodes) {
    set.nodes.push_back({.node = node.id,
                         .address = node.address.host,
                         .port = endpoint(node.address, worker).port});
  }
  return transport::verbs::open(set);
}
#else
Opened open_verbs(const config::Config&, std::size_t) {
  return fail(Error{.code = ExitCode::Usage,
                    .attempted = "cannot use transport.kind = \"verbs\"",
                    .observed = "this phalanx-dataplane was built without libibverbs",
                    .remedy = "apt install libibverbs-dev, build with -Dverbs=enabled; or set "
                              "transport.kind = \"udp\" on all nodes"});
}
#endif

/// Of the kinds where each worker's is opened alone.
Opened open_one(const config::Config& config, std::size_t worker) {
  switch (config.transport.kind) {
    case config::TransportKind::Shm:
      return open_shm(config, worker);
    case config::TransportKind::Verbs:
      return open_verbs(config, worker);
    case config::TransportKind::Udp:
    case config::TransportKind::Dpdk:
      break;
  }
  return open_udp(config, endpoint(config.node.address, worker), peers(config, worker),
                  config.transport.multicast, worker);
}

template <class Open>
Expected<Transports, Error> open_each(const config::Config& config, const Open& open) {
  Transports out;
  for (std::size_t worker = 0; worker < config.worker.count; ++worker) {
    const PreferNode prefer(node_of(config, worker));
    auto opened = open(config, worker);
    if (!opened) return fail(std::move(opened.error()));
    out.push_back(std::move(*opened));
  }
  return out;
}

/// The shortest silence that convicts a network holds two heartbeats of 10 ms; the longest must not
/// keep a cluster waiting for one that is gone.
constexpr TimeNs kLinkSilentMin = 25 * kMillisecond;
constexpr TimeNs kLinkSilentMax = 250 * kMillisecond;

}  // namespace

Expected<transport::Transports, Error> open_transports(const config::Config& config) {
  const bool dpdk = config.transport.kind == config::TransportKind::Dpdk;
  auto first = dpdk ? open_dpdk(config) : open_each(config, open_one);
  if (!first || !config.transport.second.enabled) return first;
  auto second =
      second_is_dpdk(config) ? open_second_dpdk(config) : open_each(config, open_second_udp);
  if (!second) return second;
  Transports out;
  for (std::size_t worker = 0; worker < config.worker.count; ++worker) {
    auto both = transport::LinksTransport::open(
        {std::move((*first)[worker]), std::move((*second)[worker])},
        {.self = config.node.id,
         .use = config.transport.second.both ? transport::LinkChoice::Use::Both
                                             : transport::LinkChoice::Use::Healthiest,
         .silent_after =
             std::clamp(config.cluster.dead_after / 2, kLinkSilentMin, kLinkSilentMax)});
    if (!both) return fail(std::move(both.error()));
    out.push_back(std::move(*both));
  }
  return out;
}

}  // namespace phalanx::dataplane

#include "transport/dpdk/ethernet_transport.h"

#include <rte_ethdev.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "ipc/base/memory_node.h"
#include "transport/dpdk/buffers.h"
#include "transport/dpdk/devargs.h"
#include "transport/dpdk/eal_arguments.h"
#include "transport/dpdk/ethernet.h"
#include "transport/dpdk/flow_rules.h"
#include "transport/dpdk/handover.h"
#include "transport/dpdk/packet.h"
#include "transport/dpdk/port.h"

namespace phalanx::transport::dpdk {
namespace {

Error bad_address(const udp::Endpoint& endpoint) {
  return {ExitCode::Usage, "cannot use the address " + endpoint.host,
          "it is no numeric address of the family of this node's",
          "write all nodes' addresses and transport.multicast as IPv4, or all as IPv6"};
}

Expected<Addresses, Error> parse(const EthernetOptions& options) {
  Addresses out;
  const auto self = std::ranges::find(options.peers, options.self, &udp::Peer::node);
  if (self == options.peers.end()) return fail(Error{.attempted = "this node has no address"});
  const auto own = udp::Address::parse(self->endpoint);
  if (!own) return fail(bad_address(self->endpoint));
  out.filter.self = *own;
  out.filter.vlan = options.vlan;
  out.filter.workers = static_cast<std::uint16_t>(options.workers);
  for (const udp::Peer& peer : options.peers) {
    const auto address = udp::Address::parse(peer.endpoint);
    if (!address || address->is_ipv6() != own->is_ipv6()) return fail(bad_address(peer.endpoint));
    if (peer.node != options.self) out.peers.emplace_back(peer.node, *address);
  }
  if (options.multicast) {
    out.filter.group = udp::Address::parse(*options.multicast);
    if (!out.filter.group || !out.filter.group->is_multicast() ||
        out.filter.group->is_ipv6() != own->is_ipv6()) {
      return fail(bad_address(*options.multicast));
    }
  }
  return out;
}

bool is_af_xdp(const std::string& device) { return device.starts_with("net_af_xdp"); }

/// A device reads and writes memory that EAL has mapped for it; af_xdp lends the kernel whole
/// mbufs, and takes them for contiguous.
Buffers::Memory memory_for(const std::string& device) {
  if (is_af_xdp(device)) return Buffers::Memory::DpdkGapless;
  return is_pci_address(device) ? Buffers::Memory::Dpdk : Buffers::Memory::Own;
}

/// What the driver needs of its rings and buffers.
struct Shape {
  std::string device;  ///< Devargs, completed.
  Buffers::Memory memory;
  std::uint16_t queue_frames;
  std::uint32_t packet_bytes;
};

// af_packet wants mbufs as long as the frames of its ring, and has as many as it was told; af_xdp
// lends 2048 to the kernel whatever it was told.
Shape shape_of(const EthernetOptions& options) {
  const std::string device = completed_devargs(options.device, options.mtu, options.workers);
  const Buffers::Memory memory = memory_for(options.device);
  const std::uint32_t ring = device_number(device, "framecnt");
  const std::uint32_t rows =
      ring != 0 ? std::min(ring, 4096U) : (memory == Buffers::Memory::Own ? 512 : 2048);
  return {.device = device,
          .memory = memory,
          .queue_frames = static_cast<std::uint16_t>(rows),
          .packet_bytes =
              std::max({options.mtu + static_cast<std::uint32_t>(ethernet_bytes(options.vlan)),
                        device_number(device, "framesz"), 2048U})};
}

/// Their frames have room in the queues, in the rings between the workers, and in the caches that
/// DPDK keeps of each thread that frees some.
Expected<std::vector<Buffers>, Error> make_buffers(const EthernetOptions& options,
                                                   const Shape& shape, bool ipv6) {
  static std::atomic<unsigned> number{0};
  std::vector<Buffers> out;
  for (std::size_t i = 0; i < options.workers; ++i) {
    const std::optional<std::uint32_t> node =
        i < options.memory_nodes.size() ? options.memory_nodes[i] : std::nullopt;
    const PreferNode prefer(node);
    auto made = Buffers::create(
        {.name = "phalanx-ether-" + std::to_string(number++),
         .frames = (options.workers > 1 ? 3U : 2U) * shape.queue_frames,
         .frame_bytes = shape.packet_bytes,
         .header_bytes = static_cast<std::uint32_t>(PacketHeader::bytes_of(ipv6, options.vlan)),
         .threads = options.workers,
         .node = node,
         .memory = shape.memory});
    if (!made) return fail(std::move(made.error()));
    out.push_back(std::move(*made));
  }
  return out;
}

/// Rules that bring each worker's packets to its queue, where the driver takes them.
void steer(PortQueues& queues, const Addresses& addresses) {
  const std::uint16_t workers = addresses.filter.workers;
  const std::string driver = queues.port.features().driver;
  queues.name = driver;
  if (workers == 1) return;
  std::vector<Steer> steers;
  for (std::uint16_t worker = 0; worker < workers; ++worker) {
    steers.push_back({.to = addresses.filter.self.plus_port(worker), .queue = worker});
    if (!addresses.filter.group) continue;
    steers.push_back({.to = addresses.filter.group->plus_port(worker), .queue = worker});
  }
  queues.steered = !steer_packets(queues.port.number(), steers).refused;
  // As long as a status has room for.
  queues.name += " " + std::to_string(workers) + (queues.steered ? "q steered" : "q hashed");
}

Expected<std::shared_ptr<PortQueues>, Error> open_queues(const EthernetOptions& options,
                                                         const Addresses& addresses) {
  const Shape shape = shape_of(options);
  auto buffers = make_buffers(options, shape, addresses.filter.self.is_ipv6());
  if (!buffers) return fail(std::move(buffers.error()));
  std::vector<rte_mempool*> pools;
  for (const Buffers& of_one : *buffers) pools.push_back(of_one.pool());
  auto port = Port::open({.device = shape.device,
                          .key = options.key,
                          .mtu = options.mtu,
                          .queue_frames = shape.queue_frames,
                          .pools = std::move(pools)});
  if (!port) return fail(std::move(port.error()));
  auto out = std::make_shared<PortQueues>(PortQueues{
      .buffers = std::move(*buffers), .port = std::move(*port), .handover = {}, .name = {}});
  if (options.workers > 1) {
    // All rings of one giver together hold what a queue does: its buffers are for that as well.
    const auto others = static_cast<std::uint32_t>(options.workers - 1);
    auto made = Handover::create(options.workers, out->port.features().rx_frames / others);
    if (!made) return fail(std::move(made.error()));
    out->handover = std::move(*made);
  }
  if (!out->port.start()) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = "cannot start " + options.key + " = \"" + options.device + "\"",
                      .observed = "the driver refuses to",
                      .remedy = "see whether another process has the device"});
  }
  // Where the driver filters at all.
  if (addresses.filter.group) (void)rte_eth_allmulticast_enable(out->port.number());
  steer(*out, addresses);
  return out;
}

}  // namespace

Expected<Transports, Error> open_ethernet(const EthernetOptions& options) {
  const auto addresses = parse(options);
  if (!addresses) return fail(addresses.error());
  auto queues = open_queues(options, *addresses);
  if (!queues) return fail(std::move(queues.error()));
  Transports out;
  for (std::uint16_t worker = 0; worker < addresses->filter.workers; ++worker) {
    out.push_back(std::make_unique<Ethernet>(*queues, worker, *addresses, options.mtu));
  }
  return out;
}

}  // namespace phalanx::transport::dpdk

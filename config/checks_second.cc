#include <string>

#include "config/draft.h"

namespace phalanx::config {
namespace {

/// What is at its default may stand in a file that was written for somebody to edit.
std::string first_set(const Config& config) {
  const SecondSection& second = config.transport.second;
  std::string found;
  for (std::size_t i = 0; i < config.cluster.nodes.size(); ++i) {
    if (config.cluster.nodes[i].second) found = entry(i, "second");
  }
  if (second.both) found = "transport.second.use";
  if (second.multicast) found = "transport.second.multicast";
  return found;
}

void check_addresses(Draft& draft) {
  const auto& nodes = draft.config.cluster.nodes;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].second) continue;
    draft.error(draft.place({entry(i)}),
                "this node has no `second` address, and transport.second.kind is set",
                "an address of every node on the second network",
                "add a line second = \"10.2.0.1:5405\"");
  }
}

/// "3b:00.0" of "0000:3b:00.0,rx_vec=1": most hosts have one PCI domain, which may be left out.
std::string_view device_of(std::string_view port) {
  port = port.substr(0, port.find(','));
  return port.starts_with("0000:") ? port.substr(5) : port;
}

/// "eth1" of "net_af_packet0,iface=eth1"; "" where there is none.
std::string_view interface_of(std::string_view port) {
  const std::size_t at = port.find(",iface=");
  if (at == std::string_view::npos) return {};
  port.remove_prefix(at + 7);
  return port.substr(0, port.find(','));
}

bool same_device(std::string_view one, std::string_view other) {
  return device_of(one) == device_of(other) ||
         (!interface_of(one).empty() && interface_of(one) == interface_of(other));
}

void check_port(Draft& draft) {
  const TransportSection& transport = draft.config.transport;
  const std::string& port = transport.second.port;
  const Place place = draft.place({"transport.second.port", "transport.second.kind"});
  const std::string what = "transport.second.port = \"" + port + "\"";
  const std::string device = "a device as DPDK names it, like 0000:3b:00.1";
  if (port.empty()) {
    draft.error(place, "transport.second.kind is dpdk, and there is no transport.second.port",
                device, "set transport.second.port, or transport.second.kind = \"udp\"");
  } else if (device_of(port) == "memif") {
    draft.error(place, what + " joins nodes of one host, between which no cable breaks", device,
                "leave the second network out, or name a device");
  } else if (transport.kind == TransportKind::Dpdk && same_device(port, transport.port)) {
    draft.error(place, what + " is the device of transport.port", "two devices, on two networks",
                "name another device, or leave the second network out");
  }
}

/// What only packets of a port can have.
void check_no_port(Draft& draft) {
  const SecondSection& second = draft.config.transport.second;
  const std::string found = !second.port.empty() ? "transport.second.port"
                            : second.vlan != 0   ? "transport.second.vlan"
                                                 : "";
  if (found.empty()) return;
  draft.error(draft.place({found}), found + " is set, and no port of DPDK's is on a second network",
              "transport.second.kind = \"dpdk\" with it", "set that, or leave it out");
}

}  // namespace

std::string entry(std::size_t index, std::string_view key) {
  return "cluster.nodes[" + std::to_string(index) + "]" +
         (key.empty() ? "" : "." + std::string(key));
}

void check_second(Draft& draft) {
  const SecondSection& second = draft.config.transport.second;
  if (second.enabled) {
    check_addresses(draft);
    return second.kind == TransportKind::Dpdk ? check_port(draft) : check_no_port(draft);
  }
  check_no_port(draft);
  const std::string found = first_set(draft.config);
  if (found.empty()) return;
  draft.error(draft.place({found, "transport.second.kind"}),
              found + " is set, and there is no second network",
              "transport.second.kind = \"udp\" or \"dpdk\" with it",
              "set that, or take out what belongs to it");
}

}  // namespace phalanx::config

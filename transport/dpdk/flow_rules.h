#pragma once

#include <rte_flow.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "transport/udp/address.h"

namespace phalanx::transport::dpdk {

/// Where a lane's packets go: UDP to this address and port (the node's, or the lane's group) to
/// that receive queue.
struct Steer {
  udp::Address to;
  std::uint16_t queue = 0;
};

/// One rule for a NIC, as rte_flow takes it: exact address, exact port, one queue. Its parts point
/// at one another, so it stays where it was made. Cold.
class FlowRule {
 public:
  explicit FlowRule(const Steer& steer) noexcept;
  FlowRule(const FlowRule&) = delete;
  FlowRule& operator=(const FlowRule&) = delete;

  [[nodiscard]] const rte_flow_attr& attributes() const noexcept { return attributes_; }
  [[nodiscard]] const rte_flow_item* pattern() const noexcept { return pattern_.data(); }
  [[nodiscard]] const rte_flow_action* actions() const noexcept { return actions_.data(); }

  /// Read back from the structures, in testpmd's words: what stands after `flow create PORT`.
  [[nodiscard]] std::string text() const;

 private:
  rte_flow_attr attributes_{};
  rte_flow_item_ipv4 v4_{}, v4_mask_{};
  rte_flow_item_ipv6 v6_{}, v6_mask_{};
  rte_flow_item_udp udp_{}, udp_mask_{};
  rte_flow_action_queue queue_{};
  std::array<rte_flow_item, 4> pattern_{};
  std::array<rte_flow_action, 2> actions_{};
};

/// Puts a rule for each into a started port, or none: `refused` says what of which rule the driver
/// does not take, and the port is left to spread packets by a hash (hash_of_packets()).
struct Steered {
  std::vector<rte_flow*> rules;
  std::optional<std::string> refused;
};
[[nodiscard]] Steered steer_packets(std::uint16_t port, std::span<const Steer> steers);

/// For a port with several queues, before it is configured: packets of one sender to one address
/// and port stay together and in order on some queue, if the port can hash UDP or at least IP.
/// Empty: it cannot, and everything comes to the first queue.
[[nodiscard]] std::optional<std::uint64_t> hash_of_packets(std::uint64_t offered) noexcept;

}  // namespace phalanx::transport::dpdk

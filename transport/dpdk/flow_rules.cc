#include "transport/dpdk/flow_rules.h"

#include <arpa/inet.h>
#include <rte_ethdev.h>

#include <cstring>
#include <memory>

namespace phalanx::transport::dpdk {
namespace {

template <class T>
const T& part(const void* spec) noexcept {
  return *static_cast<const T*>(spec);
}

std::string address_text(int family, const void* bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  return inet_ntop(family, bytes, text.data(), text.size());
}

/// What the driver said, or what its code means.
std::string why(const FlowRule& rule, const rte_flow_error& error, int result) {
  return rule.text() + ": " + (error.message != nullptr ? error.message : std::strerror(-result));
}

}  // namespace

FlowRule::FlowRule(const Steer& steer) noexcept {
  attributes_.ingress = 1;
  const bool ipv6 = steer.to.is_ipv6();
  if (ipv6) {
    std::memcpy(v6_.hdr.dst_addr, &steer.to.v6().sin6_addr, sizeof v6_.hdr.dst_addr);
    std::memset(v6_mask_.hdr.dst_addr, 0xff, sizeof v6_mask_.hdr.dst_addr);
  } else {
    v4_.hdr.dst_addr = steer.to.v4().sin_addr.s_addr;
    v4_mask_.hdr.dst_addr = 0xffffffff;
  }
  udp_.hdr.dst_port = htons(steer.to.port());
  udp_mask_.hdr.dst_port = 0xffff;
  queue_.index = steer.queue;
  pattern_[0] = {.type = RTE_FLOW_ITEM_TYPE_ETH, .spec = nullptr, .last = nullptr, .mask = nullptr};
  pattern_[1] =
      ipv6 ? rte_flow_item{.type = RTE_FLOW_ITEM_TYPE_IPV6,
                           .spec = &v6_,
                           .last = nullptr,
                           .mask = &v6_mask_}
           : rte_flow_item{
                 .type = RTE_FLOW_ITEM_TYPE_IPV4, .spec = &v4_, .last = nullptr, .mask = &v4_mask_};
  pattern_[2] = {
      .type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &udp_, .last = nullptr, .mask = &udp_mask_};
  pattern_[3] = {.type = RTE_FLOW_ITEM_TYPE_END, .spec = nullptr, .last = nullptr, .mask = nullptr};
  actions_[0] = {.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue_};
  actions_[1] = {.type = RTE_FLOW_ACTION_TYPE_END, .conf = nullptr};
}

std::string FlowRule::text() const {
  std::string out = attributes_.ingress != 0 ? "ingress pattern " : "pattern ";
  for (const rte_flow_item* item = pattern(); item->type != RTE_FLOW_ITEM_TYPE_END; ++item) {
    if (item->type == RTE_FLOW_ITEM_TYPE_ETH) out += "eth / ";
    if (item->type == RTE_FLOW_ITEM_TYPE_IPV4) {
      const auto& spec = part<rte_flow_item_ipv4>(item->spec);
      out += "ipv4 dst is " + address_text(AF_INET, &spec.hdr.dst_addr) + " / ";
    }
    if (item->type == RTE_FLOW_ITEM_TYPE_IPV6) {
      const auto& spec = part<rte_flow_item_ipv6>(item->spec);
      out += "ipv6 dst is " + address_text(AF_INET6, spec.hdr.dst_addr) + " / ";
    }
    if (item->type == RTE_FLOW_ITEM_TYPE_UDP) {
      const auto& spec = part<rte_flow_item_udp>(item->spec);
      out += "udp dst is " + std::to_string(ntohs(spec.hdr.dst_port)) + " / ";
    }
  }
  const auto& queue = part<rte_flow_action_queue>(actions()->conf);
  return out + "end actions queue index " + std::to_string(queue.index) + " / end";
}

Steered steer_packets(std::uint16_t port, std::span<const Steer> steers) {
  Steered out;
  std::vector<std::unique_ptr<FlowRule>> rules;
  for (const Steer& steer : steers) {
    const auto& rule = rules.emplace_back(std::make_unique<FlowRule>(steer));
    rte_flow_error error{};
    if (const int bad =
            rte_flow_validate(port, &rule->attributes(), rule->pattern(), rule->actions(), &error);
        bad != 0) {
      out.refused = why(*rule, error, bad);
      return out;
    }
  }
  for (const auto& rule : rules) {
    rte_flow_error error{};
    rte_flow* made =
        rte_flow_create(port, &rule->attributes(), rule->pattern(), rule->actions(), &error);
    if (made == nullptr) {
      out.refused = why(*rule, error, -rte_errno);
      for (rte_flow* before : out.rules) rte_flow_destroy(port, before, &error);
      out.rules.clear();
      return out;
    }
    out.rules.push_back(made);
  }
  return out;
}

std::optional<std::uint64_t> hash_of_packets(std::uint64_t offered) noexcept {
  constexpr std::uint64_t kUdp = RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;
  constexpr std::uint64_t kIp = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6;
  if ((offered & kUdp) == kUdp) return kUdp;
  if ((offered & kIp) == kIp) return kIp;
  return std::nullopt;
}

}  // namespace phalanx::transport::dpdk

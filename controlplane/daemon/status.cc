#include "controlplane/daemon/status.h"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "controlplane/daemon/quorum_status.h"

namespace phalanx::controlplane {
namespace {

using nlohmann::json;

std::string hex(std::uint64_t value) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016" PRIx64, value);
  return text.data();
}

std::string name_of(const config::Config& config, NodeId node) {
  const auto& nodes = config.cluster.nodes;
  const auto found = std::find_if(nodes.begin(), nodes.end(),
                                  [&](const config::ClusterNode& n) { return n.id == node; });
  return found == nodes.end() ? std::string() : found->name;
}

double in_ms(TimeNs length) {
  const TimeNs us = length / kMicrosecond;
  return static_cast<double>(us) / 1000.0;
}

/// Milliseconds since, or null for "never".
json since_ms(TimeNs then, TimeNs now) {
  if (then == 0) return nullptr;
  return in_ms(now > then ? now - then : 0);
}

json view_json(const StatusSources& from) {
  if (from.membership == nullptr || from.membership->view().is_none()) return nullptr;
  const ViewId& view = from.membership->view();
  json members = json::array();
  for (const Member& member : from.membership->members()) {
    members.push_back({{"node", member.node},
                       {"boot", to_string(member.boot)},
                       {"name", name_of(from.config, member.node)}});
  }
  json left = json::array();
  for (const membership::Loss& loss : from.membership->losses()) {
    left.push_back({{"node", loss.member.node}, {"why", membership::to_string(loss.rule)}});
  }
  return {{"id", to_string(view)},
          {"sequence", view.sequence},
          {"representative", view.representative},
          {"members", std::move(members)},
          {"left", std::move(left)}};
}

json dataplane_json(const StatusSources& from) {
  if (from.dataplane == nullptr) {
    return {{"running", false},          {"pid", nullptr},
            {"boot", nullptr},           {"starts", from.dataplane_starts},
            {"longest_gap_ms", nullptr}, {"recent_gap_ms", nullptr},
            {"age_ms", nullptr},         {"evicted_ms", nullptr}};
  }
  json out = {{"running", true},
              {"pid", from.dataplane->pid},
              {"boot", to_string(from.dataplane->self.boot)},
              {"starts", from.dataplane_starts},
              {"longest_gap_ms", nullptr},
              {"recent_gap_ms", nullptr},
              {"age_ms", nullptr},
              {"evicted_ms", nullptr}};
  if (from.worker) {
    out["longest_gap_ms"] = in_ms(from.worker->gaps.longest);
    out["recent_gap_ms"] = in_ms(from.worker->gaps.recent);
    out["age_ms"] = since_ms(from.worker->written_at, from.now);
    out["evicted_ms"] = since_ms(from.worker->evicted_at, from.now);
  }
  return out;
}

/// What the operator named it by; over verbs the node's address, which is the GID.
json port_json(const config::Config& config) {
  if (config.transport.kind == config::TransportKind::Dpdk) return config.transport.port;
  if (config.transport.kind == config::TransportKind::Verbs) return config.node.address.host;
  return {};
}

std::string text_of(const char* driver, std::size_t size) {
  return {driver, strnlen(driver, size)};
}

json links_json(const shm::TransportStatus& seen) {
  json links = json::array();
  for (std::size_t i = 0; i < std::min<std::size_t>(seen.links, shm::kLinksShown); ++i) {
    const shm::LinkStatus& link = seen.link[i];
    links.push_back({{"link", i},
                     {"driver", text_of(link.driver, sizeof link.driver)},
                     {"ports", link.ports},
                     {"ports_up", link.ports_up},
                     {"used", link.used != 0},
                     {"heard", link.heard != 0},
                     {"rx_frames", link.rx_frames},
                     {"rx_bytes", link.rx_bytes},
                     {"rx_lost", link.rx_overflow},
                     {"tx_frames", link.tx_frames},
                     {"tx_bytes", link.tx_bytes},
                     {"tx_refused", link.tx_refused}});
  }
  return links;
}

json transport_json(const StatusSources& from) {
  const config::TransportSection& set = from.config.transport;
  json out = {{"kind", config::to_string(set.kind)},
              {"port", port_json(from.config)},
              {"multicast", set.multicast ? json(config::to_string(*set.multicast)) : json()},
              {"driver", nullptr},
              {"ports", 0},
              {"ports_up", 0},
              {"links", json::array()},
              {"driver_counters", json::object()},
              {"trouble", nullptr}};
  for (const auto& [name, value] : from.driver_counters) out["driver_counters"][name] = value;
  if (!from.worker) return out;
  const shm::TransportStatus& seen = from.worker->transport;
  out["driver"] = text_of(seen.driver, sizeof seen.driver);
  out["ports"] = seen.ports;
  out["ports_up"] = seen.ports_up;
  out["links"] = links_json(seen);
  if (seen.troubles > 0) {
    // Text of an adapter's driver or of a peer: JSON takes UTF-8 only, and this is ASCII.
    out["trouble"] = {
        {"what", std::string(seen.trouble, strnlen(seen.trouble, sizeof seen.trouble))},
        {"count", seen.troubles},
        {"ago_ms", since_ms(seen.trouble_at, from.now)}};
  }
  return out;
}

json lanes_json(const StatusSources& from) {
  json lanes = json::array();
  if (!from.worker) return lanes;
  const std::size_t count = std::min<std::size_t>(from.worker->lanes, kLanesMax);
  for (std::size_t i = 0; i < count; ++i) {
    const shm::LaneStatus& lane = from.worker->lane[i];
    lanes.push_back({{"lane", i},
                     {"view_sequence", lane.view_sequence},
                     {"orderer", lane.orderer},
                     {"received", lane.received},
                     {"limit", lane.limit},
                     {"stable", lane.stable},
                     {"window", lane.window},
                     {"delivered", lane.delivered},
                     {"order_hash", hex(lane.order_hash)},
                     {"records", lane.records},
                     {"naks_sent", lane.naks_sent},
                     {"naks_heard", lane.naks_heard},
                     {"repairs_sent", lane.repairs_sent},
                     {"divergences", lane.divergences},
                     {"handovers", lane.handovers},
                     {"poisoned", lane.poisoned != 0}});
  }
  return lanes;
}

/// Each worker by itself. Lane l is worker (l mod workers)'s.
json workers_json(const StatusSources& from) {
  json workers = json::array();
  const std::size_t count = from.statistics == nullptr ? 0 : from.statistics->workers();
  for (std::size_t i = 0; i < count; ++i) {
    const shm::StatisticsLayout& shown = from.statistics->layout(i);
    shm::WorkerStatus status;
    if (!shm::read_status(shown, status)) continue;
    json lanes = json::array();
    for (std::size_t lane = i; lane < status.lanes; lane += count) lanes.push_back(lane);
    const auto counted = [&](shm::Counter counter) { return shm::read_counter(shown, counter); };
    workers.push_back({{"worker", i},
                       {"lanes", std::move(lanes)},
                       {"cpu", status.cpu < 0 ? json() : json(status.cpu)},
                       {"numa", status.numa < 0 ? json() : json(status.numa)},
                       {"view_sequence", status.view.sequence},
                       {"age_ms", since_ms(status.written_at, from.now)},
                       {"longest_gap_ms", in_ms(status.gaps.longest)},
                       {"recent_gap_ms", in_ms(status.gaps.recent)},
                       {"turns", counted(shm::Counter::Turns)},
                       {"busy_ms", in_ms(counted(shm::Counter::BusyNs))},
                       {"rx_frames", counted(shm::Counter::RxFrames)},
                       {"tx_frames", counted(shm::Counter::TxFrames)},
                       {"submitted", counted(shm::Counter::Submitted)},
                       {"delivered", counted(shm::Counter::EventsDelivered)}});
  }
  return workers;
}

json peer_json(const StatusSources& from, const config::ClusterNode& node) {
  json peer{{"node", node.id},       {"name", node.name},        {"in_view", false},
            {"boot", nullptr},       {"heard_ms", nullptr},      {"progressed_ms", nullptr},
            {"vouched_ms", nullptr}, {"link_up", nullptr},       {"config_mismatch", false},
            {"key_mismatch", false}, {"version_mismatch", false}};
  if (from.membership != nullptr) {
    for (const Member& member : from.membership->members()) {
      if (member.node != node.id) continue;
      peer["in_view"] = true;
      peer["boot"] = to_string(member.boot);
    }
    for (const membership::Rejection& rejection : from.membership->rejections()) {
      if (rejection.node != node.id) continue;
      const bool config = rejection.reason == membership::Rejection::Reason::ConfigHash;
      peer[config ? "config_mismatch" : "key_mismatch"] = true;
    }
  }
  for (std::size_t i = 0; from.worker && i < kNodesMax; ++i) {
    const shm::PeerStatus& seen = from.worker->peer[i];
    if (seen.node != node.id) continue;
    peer["naks_sent"] = seen.naks_sent;
    peer["naks_heard"] = seen.naks_heard;
    if (peer["in_view"]) {
      peer["heard_ms"] = since_ms(seen.heard, from.now);
      peer["progressed_ms"] = since_ms(seen.progressed, from.now);
    }
  }
  const PeerBook::Peer* known = from.book == nullptr ? nullptr : from.book->find(node.id);
  if (known != nullptr && known->vouched_at != 0) {
    peer["vouched_ms"] = since_ms(known->vouched_at, from.now);
    peer["link_up"] = known->link_up;
  }
  if (known != nullptr && known->refusal) {
    switch (known->refusal->reason) {
      case Refusal::Reason::ConfigHash:
        peer["config_mismatch"] = true;
        break;
      case Refusal::Reason::ClusterKey:
        peer["key_mismatch"] = true;
        break;
      case Refusal::Reason::ProtocolVersion:
        peer["version_mismatch"] = true;
        break;
    }
  }
  return peer;
}

/// What the management address tells of a peer that is kept out; null when that is nothing.
json refusal_json(const StatusSources& from, const config::ClusterNode& node) {
  const PeerBook::Peer* peer = from.book == nullptr ? nullptr : from.book->find(node.id);
  if (peer == nullptr || !peer->refusal) return nullptr;
  const Refusal& refusal = *peer->refusal;
  const bool hashes = refusal.reason != Refusal::Reason::ProtocolVersion;
  return {{"node", node.id},
          {"name", node.name},
          {"reason", to_string(refusal.reason)},
          {"mine", hashes ? json(hex(refusal.mine)) : json(refusal.mine)},
          {"theirs", hashes ? json(hex(refusal.theirs)) : json(refusal.theirs)},
          {"count", refusal.count}};
}

json rejections_json(const StatusSources& from) {
  json list = json::array();
  const auto told = [&](NodeId node) {
    return std::ranges::any_of(list, [&](const json& one) { return one["node"] == node; });
  };
  for (const config::ClusterNode& node : from.config.cluster.nodes) {
    if (json one = refusal_json(from, node); !one.is_null()) list.push_back(std::move(one));
  }
  if (from.membership == nullptr) return list;
  for (const membership::Rejection& rejection : from.membership->rejections()) {
    if (told(rejection.node)) continue;
    const bool config = rejection.reason == membership::Rejection::Reason::ConfigHash;
    list.push_back({{"node", rejection.node},
                    {"name", name_of(from.config, rejection.node)},
                    {"reason", config ? "config_hash" : "key_id"},
                    {"mine", config ? json(hex(rejection.mine)) : json(rejection.mine)},
                    {"theirs", config ? json(hex(rejection.theirs)) : json(rejection.theirs)}});
  }
  return list;
}

}  // namespace

json status_json(const StatusSources& from) {
  json counters = json::object();
  for (const auto& [name, value] : from.counters) counters[std::string(name)] = value;
  json peers = json::array();
  for (const config::ClusterNode& node : from.config.cluster.nodes) {
    if (node.id != from.config.node.id) peers.push_back(peer_json(from, node));
  }
  return {{"version", 1},
          {"phalanx", PHALANX_RELEASE},
          {"instance", from.config.node.instance},
          {"cluster", from.config.cluster.name},
          {"encrypted", !from.config.cluster.insecure},
          {"config_hash", hex(config::cluster_hash(from.config))},
          {"node", from.config.node.id},
          {"name", from.config.node.name},
          {"state", from.state},
          {"configured", from.config.cluster.nodes.size()},
          {"view", view_json(from)},
          {"quorum", from.quorum == nullptr
                         ? json()
                         : quorum_json(from.config, *from.quorum, from.device_heard, from.now)},
          {"dataplane", dataplane_json(from)},
          {"limits",
           {{"dead_after_ms", in_ms(from.config.cluster.dead_after)},
            {"stall_after_ms", in_ms(from.config.cluster.stall_after)}}},
          {"link", {{"interface", from.interface}, {"up", from.link_up}}},
          {"transport", transport_json(from)},
          {"workers", workers_json(from)},
          {"lanes", lanes_json(from)},
          {"peers", std::move(peers)},
          {"clients", from.worker ? from.worker->clients : 0},
          {"groups", from.worker ? from.worker->groups : 0},
          {"counters", std::move(counters)},
          {"rejections", rejections_json(from)}};
}

}  // namespace phalanx::controlplane

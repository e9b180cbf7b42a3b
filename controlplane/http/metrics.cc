#include "controlplane/http/metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <sstream>
#include <string_view>
#include <vector>

#include "controlplane/http/counter_metrics.h"
#include "controlplane/watch/health.h"

namespace phalanx::http {
namespace {

using nlohmann::json;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

json at(const json& from, const char* key) {
  const auto found = from.is_object() ? from.find(key) : from.end();
  return from.is_object() && found != from.end() ? *found : json();
}

double seconds(TimeNs length) { return static_cast<double>(length) / 1e9; }

/// Text for a label: a group's name may hold any bytes, the format only UTF-8.
std::string printable(std::string_view bytes) {
  std::string out(bytes);
  std::ranges::replace_if(
      out, [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

class Families {
 public:
  /// The family of that name, to which one series is added.
  void add(const char* name, MetricType type, const char* help, double value, Labels labels = {}) {
    if (families_.empty() || families_.back().name != name) {
      const auto known = std::ranges::find(families_, name, &MetricFamily::name);
      if (known != families_.end()) return put(*known, value, std::move(labels));
      families_.push_back({.name = name, .help = help, .type = type, .metric = {}});
    }
    put(families_.back(), value, std::move(labels));
  }
  void gauge(const char* name, const char* help, double value, Labels labels = {}) {
    add(name, MetricType::Gauge, help, value, std::move(labels));
  }
  void counter(const char* name, const char* help, double value, Labels labels = {}) {
    add(name, MetricType::Counter, help, value, std::move(labels));
  }
  [[nodiscard]] std::string text() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families_);
    return out.str();
  }

 private:
  static void put(MetricFamily& family, double value, Labels labels) {
    ClientMetric series;
    series.label = std::move(labels);
    if (family.type == MetricType::Counter) {
      series.counter.value = value;
    } else {
      series.gauge.value = value;
    }
    family.metric.push_back(std::move(series));
  }

  std::vector<MetricFamily> families_;
};

void add_node(Families& out, const NodeNow& node) {
  out.gauge("phx_build_info", "The version of phalanx-metrics, as a label.", 1,
            {{"version", PHALANX_RELEASE}});
  out.gauge("phx_up", "1 when the control plane answers. 0: see its log.", node.running ? 1 : 0);
  out.gauge("phx_ready", "1 when the node is a member of a quorate view. 0: phalanx status.",
            node.running && watch::is_ready(node.status) ? 1 : 0);
  if (!node.running) return;
  const std::vector<watch::Condition> wrong = watch::conditions(node.status);
  for (const std::string_view name : watch::condition_names()) {
    const bool is_there = std::ranges::find(wrong, name, &watch::Condition::name) != wrong.end();
    out.gauge("phx_condition",
              "1 while this is wrong with the node or its cluster: phalanx-status(1) says what "
              "each is, operating.md what to do.",
              is_there ? 1 : 0, {{"condition", std::string(name)}});
  }
  const auto number = [](const json& value) {
    return value.is_number() ? value.get<double>() : 0.0;
  };
  out.gauge("phx_configured_nodes", "Nodes of the cluster's configuration.",
            number(at(node.status, "configured")));
  out.counter("phx_dataplane_starts_total",
              "Data planes that this control plane started. Grows: the one before died, see the "
              "log.",
              number(at(at(node.status, "dataplane"), "starts")));
}

/// What concerns one worker is a series of its own, named by a label where there are several.
void add_worker(Families& out, const watch::Sample& sample, const std::uint64_t* counters,
                const shm::WorkerStatus& status, const Labels& name) {
  for (const CounterMetric& one : counter_metrics()) {
    if (!std::string_view(one.name).starts_with("phx_worker_")) continue;
    const std::uint64_t value = counters[static_cast<std::size_t>(one.counter)];
    out.counter(one.name, one.help, one.scale * static_cast<double>(value), name);
  }
  out.gauge("phx_worker_silent_seconds",
            "Since the worker last showed itself, 0.01 at most when it turns. Grows: it is dead "
            "or stopped.",
            seconds(sample.taken_at - std::min(sample.taken_at, status.written_at)), name);
  out.gauge("phx_worker_gap_seconds",
            "Longest time between two turns in the last 10 to 20 s. Over stall_after the peers "
            "leave the node out: give the worker a core.",
            seconds(status.gaps.recent), name);
  out.gauge("phx_worker_gap_longest_seconds", "The same since the data plane started.",
            seconds(status.gaps.longest), name);
}

void add_workers(Families& out, const watch::Sample& sample) {
  if (sample.workers.empty()) add_worker(out, sample, sample.counters, sample.status, {});
  for (std::size_t i = 0; i < sample.workers.size(); ++i) {
    const watch::Sample::Worker& worker = sample.workers[i];
    add_worker(out, sample, worker.counters, worker.status, {{"worker", std::to_string(i)}});
  }
}

void add_dataplane(Families& out, const watch::Sample& sample) {
  for (const CounterMetric& one : counter_metrics()) {
    if (std::string_view(one.name).starts_with("phx_worker_")) continue;
    Labels labels;
    if (one.reason != nullptr) labels = {{"reason", one.reason}};
    out.counter(one.name, one.help, one.scale * static_cast<double>(sample.counter(one.counter)),
                std::move(labels));
  }
  const shm::WorkerStatus& status = sample.status;
  out.gauge("phx_view_id", "Sequence of the installed view; changes when members come or go.",
            static_cast<double>(status.view.sequence));
  out.gauge("phx_view_members",
            "Members of the installed view. Less than phx_configured_nodes: "
            "phalanx status names who is missing.",
            status.members);
  out.gauge("phx_quorate", "1 when the installed view is quorate.", status.quorate);
  out.gauge("phx_transport_ports", "Ports that carry frames.", status.transport.ports);
  out.gauge("phx_transport_ports_up",
            "Those with a link. Less than phx_transport_ports: a cable "
            "or a switch.",
            status.transport.ports_up);
}

void add_links(Families& out, const shm::TransportStatus& transport) {
  for (std::uint32_t i = 0; i < std::min<std::uint32_t>(transport.links, shm::kLinksShown); ++i) {
    const shm::LinkStatus& link = transport.link[i];
    const Labels name{{"link", std::to_string(i)}};
    out.gauge("phx_link_used", "1 while frames for members go over this network.", link.used, name);
    out.gauge("phx_link_heard",
              "1 while every member is heard over this network that is heard at all. 0: a cable, a "
              "switch or an address.",
              link.heard, name);
    out.counter("phx_link_frames_received_total", "Frames received over it.",
                static_cast<double>(link.rx_frames), name);
    out.counter("phx_link_frames_sent_total", "Frames sent over it.",
                static_cast<double>(link.tx_frames), name);
    out.counter("phx_link_frames_lost_total", "Lost at its receive ring.",
                static_cast<double>(link.rx_overflow), name);
  }
}

void add_lanes(Families& out, const shm::WorkerStatus& status) {
  for (std::uint32_t i = 0; i < status.lanes; ++i) {
    const shm::LaneStatus& lane = status.lane[i];
    const Labels name{{"lane", std::to_string(i)}};
    const std::uint64_t unstable = lane.received - std::min(lane.received, lane.stable);
    out.gauge("phx_lane_orderer_node", "The node that orders the lane.", lane.orderer, name);
    out.gauge("phx_lane_received_bytes", "Position in the lane's log; begins anew with a view.",
              static_cast<double>(lane.received), name);
    out.gauge("phx_lane_unstable_bytes",
              "Received here and not yet by all members. At phx_lane_window_bytes the lane waits "
              "for its slowest member.",
              static_cast<double>(unstable), name);
    out.gauge("phx_lane_window_bytes", "Bytes that may be under way (lane.window).",
              static_cast<double>(lane.window), name);
    out.counter("phx_lane_records_total", "Records ordered in the lane, seen here.",
                static_cast<double>(lane.records), name);
    out.counter("phx_lane_naks_sent_total",
                "Requests for frames lost on the way here. Grows "
                "fast: phx_frames_lost_total, the switch, receive_buffer.",
                static_cast<double>(lane.naks_sent), name);
    out.counter("phx_lane_naks_heard_total", "Requests of others for frames lost on the way.",
                static_cast<double>(lane.naks_heard), name);
    out.counter("phx_lane_repairs_total", "Frames sent again.",
                static_cast<double>(lane.repairs_sent), name);
    out.counter("phx_lane_handovers_total", "The ordering went to another node.",
                static_cast<double>(lane.handovers), name);
    out.counter("phx_lane_divergences_total",
                "Order hashes of others that contradicted ours. "
                "More than 0: report it.",
                static_cast<double>(lane.divergences), name);
  }
}

void add_tables(Families& out, const watch::Sample& sample) {
  const shm::StatisticsTables& tables = sample.tables;
  std::vector<const shm::GroupStatus*> groups;
  for (std::uint32_t i = 0; i < tables.groups; ++i) groups.push_back(&tables.group[i]);
  // The busiest: the same ones from scrape to scrape as long as they are.
  std::ranges::stable_sort(groups, std::ranges::greater(), &shm::GroupStatus::messages);
  const std::size_t listed = std::min(groups.size(), kGroupSeriesMax);
  out.gauge("phx_groups", "Groups with members anywhere.", sample.status.groups);
  out.gauge("phx_groups_unlisted", "Those without series of their own, which the busiest have.",
            static_cast<double>(sample.status.groups) - static_cast<double>(listed) > 0
                ? static_cast<double>(sample.status.groups) - static_cast<double>(listed)
                : 0);
  for (std::size_t i = 0; i < listed; ++i) {
    const shm::GroupStatus& group = *groups[i];
    std::ostringstream id;
    id << std::hex << group.id;
    const Labels name{{"group", printable({group.name, group.name_bytes})}, {"id", id.str()}};
    out.gauge("phx_group_members", "Members on all nodes.", group.members, name);
    out.counter("phx_group_messages_total", "Messages ordered for the group.",
                static_cast<double>(group.messages), name);
    out.counter("phx_group_bytes_total", "Their payloads.", static_cast<double>(group.bytes), name);
  }
  double unread = 0;
  double full = 0;
  for (std::uint32_t i = 0; i < tables.clients; ++i) {
    const shm::ClientStatus& client = tables.client[i];
    if (client.deliver_bytes > 0) {
      unread = std::max(unread, static_cast<double>(client.deliver_queued) /
                                    static_cast<double>(client.deliver_bytes));
    }
    full += client.blocked_since != 0 ? 1 : 0;
  }
  for (std::uint32_t i = 0; i < tables.extended; ++i) {
    out.counter("phx_port_driver_total",
                "Counters of the port's driver, by its names for them; what is 0 is not listed.",
                static_cast<double>(tables.port[i].value),
                {{"counter", printable(tables.port[i].name)}});
  }
  out.gauge("phx_clients", "Attached clients.", sample.status.clients);
  out.gauge("phx_client_unread_ratio_max",
            "Fill of the fullest delivery ring. Near 1: phalanx top --view clients, that client "
            "will be evicted.",
            unread);
  out.gauge("phx_clients_full", "Clients whose delivery ring is full now.", full);
}

void add_peers(Families& out, const shm::WorkerStatus& status) {
  for (const shm::PeerStatus& peer : status.peer) {
    if (peer.node == 0) continue;
    const Labels name{{"peer", std::to_string(peer.node)}};
    const bool in_view =
        std::any_of(status.member, status.member + status.members,
                    [&](const Member& member) { return member.node == peer.node; });
    out.gauge("phx_peer_in_view", "1 when the peer is a member of our view. 0: phalanx status.",
              in_view ? 1 : 0, name);
    if (in_view && peer.heard != 0 && peer.heard != kNever) {
      out.gauge("phx_peer_last_heard_seconds",
                "Since its last frame, as of the worker's last look.",
                seconds(status.written_at - std::min(status.written_at, peer.heard)), name);
    }
    out.counter("phx_peer_naks_sent_total", "Requests to it for frames lost on the way here.",
                static_cast<double>(peer.naks_sent), name);
    out.counter("phx_peer_naks_heard_total", "Its requests for frames lost on the way there.",
                static_cast<double>(peer.naks_heard), name);
  }
}

}  // namespace

std::string metrics_text(const NodeNow& node) {
  Families out;
  add_node(out, node);
  const bool turns =
      node.sample &&
      node.sample->taken_at - std::min(node.sample->taken_at, node.sample->status.written_at) <
          watch::kSilentAfter;
  out.gauge("phx_dataplane_up", "1 while the data plane's worker turns. 0: see the log.",
            turns ? 1 : 0);
  if (!node.sample) return out.text();
  add_workers(out, *node.sample);
  add_dataplane(out, *node.sample);
  add_links(out, node.sample->status.transport);
  add_lanes(out, node.sample->status);
  add_tables(out, *node.sample);
  add_peers(out, node.sample->status);
  return out.text();
}

}  // namespace phalanx::http

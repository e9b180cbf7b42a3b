// What a worker shows of itself: all of it goes into the statistics memory.

#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/worker/worker.h"

namespace phalanx::worker {
namespace {

constexpr TimeNs kGapInterval = 10 * kSecond;
constexpr TimeNs kTablesInterval = 100 * kMillisecond;  // Of 1024 clients: some 20 us of work.

}  // namespace

void Worker::publish_status(TimeNs now) noexcept {
  tape_.consider(core_, now);
  status_.written_at = now;
  status_.view = core_.view();
  status_.frozen = core_.frozen() ? 1 : 0;
  status_.lanes = config_.lanes;
  status_.cpu = config_.cpu;
  status_.numa = config_.numa;
  status_.clients = static_cast<std::uint32_t>(ports_.all().size());
  status_.groups = 0;
  const std::span<const Member> members = core_.members();
  status_.members = static_cast<std::uint32_t>(members.size());
  std::copy(members.begin(), members.end(), status_.member);
  for (LaneId id = share_.first; id < share_.lanes; id += share_.step) publish_lane(id);
  std::size_t peers = 0;
  for (const NodeId node : config_.nodes) {
    if (node == config_.self) continue;
    shm::PeerStatus& peer = status_.peer[peers++];
    const Frames::Losses losses = frames_.losses(node);
    peer = {.node = node,
            .distrusts_itself = core_.distrusts_itself(node) ? 1U : 0U,
            .naks_heard = losses.naks_heard,
            .naks_sent = losses.naks_sent};
    peer.heard = peer.progressed = kNever;
    for (LaneId id = share_.first; id < share_.lanes; id += share_.step) {
      peer.heard = std::min(peer.heard, core_.last_heard(node, id));
      peer.progressed = std::min(peer.progressed, core_.last_progress(node, id));
    }
    for (const Member& member : members) {
      if (member.node == node) peer.boot = member.boot;
    }
  }
  look_at_wire();
  look_at_gaps(now);
  status_.evicted_at = delivery_.evicted_at();
  status_.quorate = delivery_.quorate() ? 1 : 0;
  notes_.take(status_, now);
  control_.publish(status_);
  if (now - tables_at_ >= kTablesInterval) publish_tables(now);
}

void Worker::publish_lane(LaneId id) noexcept {
  const core::LaneStatus lane = core_.lane_status(id);
  shm::LaneStatus& out = status_.lane[id];
  status_.groups += static_cast<std::uint32_t>(delivery_.groups(id).size());
  // The core counts hand-overs of a view; here they run on.
  const std::uint64_t handovers =
      lane.handovers >= handovers_seen_[id] ? lane.handovers - handovers_seen_[id] : lane.handovers;
  handovers_seen_[id] = lane.handovers;
  control_.count(shm::Counter::Handovers, handovers);
  control_.count(shm::Counter::RepairsSent, lane.repairs - out.repairs_sent);
  control_.count(shm::Counter::Divergences, lane.divergences - out.divergences);
  const Frames::Losses losses = frames_.lane_losses(id);
  out = {.view_sequence = status_.view.sequence,
         .orderer = lane.orderer,
         .poisoned = lane.poisoned ? 1U : 0U,
         .received = lane.received,
         .limit = lane.limit,
         .stable = lane.stable,
         .window = config_.window_bytes,
         .delivered = delivery_.delivered(id),
         .order_hash = lane.order_hash,
         .records = lane.records,
         .naks_sent = losses.naks_sent,
         .naks_heard = losses.naks_heard,
         .repairs_sent = lane.repairs,
         .divergences = lane.divergences,
         .handovers = out.handovers + handovers};
}

void Worker::publish_tables(TimeNs now) noexcept {
  tables_at_ = now;
  shm::StatisticsTables& tables = control_.begin_tables();
  tables.written_at = now;
  tables.groups = tables.clients = tables.groups_unlisted = 0;
  std::array<transport::ExtendedCounter, shm::kListedExtendedMax> extended;
  tables.extended = static_cast<std::uint32_t>(transport_.extended(extended));
  for (std::size_t i = 0; i < tables.extended; ++i) {
    static_assert(sizeof tables.port[i].name == sizeof extended[i].name);
    std::memcpy(tables.port[i].name, extended[i].name, sizeof extended[i].name);
    tables.port[i].value = extended[i].value;
  }
  for (LaneId id = share_.first; id < share_.lanes; id += share_.step) {
    const GroupTable& table = delivery_.groups(id);
    const std::size_t listed = table.status(id, std::span(tables.group).subspan(tables.groups));
    tables.groups += static_cast<std::uint32_t>(listed);
    tables.groups_unlisted += static_cast<std::uint32_t>(table.size() - listed);
  }
  for (ClientPort* port : ports_.all()) {
    if (tables.clients == shm::kListedClientsMax) break;
    const Delivery::Unread unread = delivery_.unread(*port);
    const bool attached = port->state == ClientPort::State::Attached;
    const bool evicted = port->leave_reason == core::LeaveReason::Evicted && !attached;
    tables.client[tables.clients++] = {.id = port->id,
                                       .pid = port->pid,
                                       .uid = port->uid,
                                       .groups = static_cast<std::uint32_t>(port->groups.size()),
                                       .leaving = attached ? 0U : 1U,
                                       .evicted = evicted ? 1U : 0U,
                                       .submit_bytes = port->channel.geometry().submit_bytes,
                                       .submit_queued = port->channel.queued().submissions,
                                       .deliver_bytes = unread.bytes,
                                       .deliver_queued = unread.queued,
                                       .submitted = port->submitted,
                                       .blocked_since = port->blocked_since};
  }
  control_.end_tables();
}

void Worker::look_at_gaps(TimeNs now) noexcept {
  status_.gaps.recent = std::max(gap_, gap_before_);
  status_.gaps.longest = std::max(status_.gaps.longest, gap_);
  if (now - gap_since_ < kGapInterval) return;
  gap_before_ = gap_;
  gap_ = 0;
  gap_since_ = now;
}

void Worker::look_at_links() noexcept {
  if (transport_.links() < 2) return;
  status_.transport.links = shm::kLinksShown;
  for (std::size_t i = 0; i < shm::kLinksShown; ++i) {
    const transport::LinkReport link = transport_.link(i);
    shm::LinkStatus& out = status_.transport.link[i];
    out = {.ports = link.ports.count,
           .ports_up = link.ports.up,
           .used = link.used ? 1U : 0U,
           .heard = link.heard ? 1U : 0U,
           .rx_frames = link.counters.rx_frames,
           .rx_bytes = link.counters.rx_bytes,
           .rx_overflow = link.counters.rx_overflow,
           .tx_frames = link.counters.tx_frames,
           .tx_bytes = link.counters.tx_bytes,
           .tx_refused = link.counters.tx_refused};
    std::strncpy(out.driver, link.ports.driver, sizeof out.driver - 1);
  }
}

void Worker::look_at_wire() noexcept {
  const transport::TransportCounters now = transport_.counters();
  control_.count(shm::Counter::WireOverflow, now.rx_overflow - wire_.rx_overflow);
  control_.count(shm::Counter::WireRefused, now.rx_refused - wire_.rx_refused);
  control_.count(shm::Counter::WireTxRefused, now.tx_refused - wire_.tx_refused);
  wire_ = now;
  const transport::TransportPorts ports = transport_.ports();
  std::strncpy(status_.transport.driver, ports.driver, sizeof status_.transport.driver - 1);
  status_.transport.ports = ports.count;
  status_.transport.ports_up = ports.up;
  look_at_links();
  if (ports.troubles == status_.transport.troubles) return;
  std::strncpy(status_.transport.trouble, ports.trouble, sizeof status_.transport.trouble - 1);
  status_.transport.troubles = ports.troubles;
  status_.transport.trouble_at = ports.trouble_at;
}

}  // namespace phalanx::worker

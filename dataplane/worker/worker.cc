#include "dataplane/worker/worker.h"

#include <algorithm>
#include <cstring>

namespace phalanx::worker {
namespace {

constexpr std::size_t kBurstsATurn = 4;
constexpr std::size_t kBurstsAfterPause = 256;
constexpr TimeNs kStatusInterval = 500 * kMicrosecond;
constexpr TimeNs kGapInterval = 10 * kSecond;
constexpr TimeNs kSleepMax =
    10 * kMillisecond;  // So old is the status that others judge this worker by.

}  // namespace

Worker::Worker(const WorkerConfig& config, const WorkerParts& parts)
    : config_(config),
      core_(parts.core),
      transport_(parts.transport),
      keys_(parts.keys),
      control_(parts.control),
      mailbox_(parts.mailbox),
      ports_(parts.mailbox, parts.control),
      submissions_(
          {.lanes = config.lanes,
           .message_bytes_max = config.message_bytes_max,
           .group_state_bytes_max =
               config.record_bytes_max - static_cast<std::uint32_t>(core::kRecordHeaderBytes) - 8},
          core_, ports_, mailbox_, control_),
      delivery_(config.self, config.lanes, config.slow_clients, core_, ports_, submissions_,
                control_),
      frames_(core_, transport_, keys_, control_) {}

std::size_t Worker::poll_once(TimeNs now) noexcept {
  notice_pause(now);

  // Receive before submit: what the group has ordered already goes ahead of new work.
  const std::size_t received = frames_.receive(now, kBurstsATurn);
  if (mailbox_.has_order()) [[unlikely]]
    take_orders();
  const std::size_t commands = control_.has_command() ? take_commands(now) : 0;

  const std::size_t submitted = submissions_.take_turn();  // client rings -> stream or log
  core_.on_time(now);  // rows, NAKs: pure state, nothing is sent here
  const std::size_t delivered = delivery_.deliver_turn(now);  // log -> client rings
  const std::size_t sent = frames_.send(now);                 // what the core wants sent -> frames

  if (!status_.recovering.is_none()) [[unlikely]]
    report_recovered(now);
  control_.ring_if_needed();
  mailbox_.ring_if_needed();
  if (now - status_.written_at >= kStatusInterval) publish_status(now);

  const std::size_t work = received + commands + submitted + delivered + sent;
  busy_ = frames_.take_data_seen() || submitted + delivered + commands > 0 || busy_;
  control_.count(shm::Counter::Turns, 1);
  if (work == 0) control_.count(shm::Counter::IdleTurns, 1);
  expected_ = now;
  return work;
}

// Rule: a worker that was itself descheduled empties its queue before it orders, delivers or
// accuses, and says so in its rows.
void Worker::notice_pause(TimeNs now) noexcept {
  const TimeNs pause = expected_ != 0 && now > expected_ ? now - expected_ : 0;
  gap_ = std::max(gap_, pause);
  if (pause > config_.dead_after / 2) [[unlikely]] {
    frames_.receive(now, kBurstsAfterPause);
    core_.set_distrust(true);
    distrust_until_ = now + config_.dead_after;
    const auto pause_ms = static_cast<std::uint32_t>(pause / kMillisecond);
    control_.count(shm::Counter::DistrustedMs, pause_ms);
    control_.post({.kind = shm::WorkerEventKind::Distrust, .token = pause_ms});
  } else if (distrust_until_ != 0 && now >= distrust_until_) [[unlikely]] {
    core_.set_distrust(false);
    distrust_until_ = 0;
  }
}

void Worker::take_orders() noexcept {
  WorkerOrder order;
  while (mailbox_.take(order)) {
    ClientPort& port = *order.port;
    switch (order.kind) {
      case WorkerOrder::Kind::AddClient:
        ports_.add(port);
        delivery_.greet(port);
        control_.count(shm::Counter::ClientsAttached, 1);
        control_.post({.kind = shm::WorkerEventKind::ClientAttached,
                       .client = port.id,
                       .pid = port.pid,
                       .uid = port.uid,
                       .gid = port.gid});
        break;
      case WorkerOrder::Kind::ClientGone:
        delivery_.forget(port);
        submissions_.hung_up(port);
        control_.count(shm::Counter::ClientsDetached, 1);
        control_.post({.kind = shm::WorkerEventKind::ClientDetached, .client = port.id});
        break;
    }
  }
}

bool Worker::arm(TimeNs now, TimeNs& until) noexcept {
  until = std::min({core_.wake_at(), delivery_.wake_at(), now + kSleepMax});
  if (until <= now) return false;
  for (ClientPort* port : ports_.all()) port->channel.set_worker_sleeping(true);
  if (control_.arm() || mailbox_.arm_worker() || submissions_.something_waits()) {
    disarm();
    return false;
  }
  publish_status(now);
  control_.count(shm::Counter::Sleeps, 1);
  expected_ = until;
  return true;
}

void Worker::disarm() noexcept {
  for (ClientPort* port : ports_.all()) port->channel.set_worker_sleeping(false);
  control_.disarm();
  mailbox_.disarm_worker();
}

void Worker::publish_status(TimeNs now) noexcept {
  status_.written_at = now;
  status_.view = core_.view();
  status_.frozen = core_.frozen() ? 1 : 0;
  status_.lanes = config_.lanes;
  status_.clients = static_cast<std::uint32_t>(ports_.all().size());
  status_.groups = 0;
  const std::span<const Member> members = core_.members();
  status_.members = static_cast<std::uint32_t>(members.size());
  std::copy(members.begin(), members.end(), status_.member);
  for (LaneId id = 0; id < config_.lanes; ++id) {
    const core::LaneStatus lane = core_.lane_status(id);
    status_.groups += static_cast<std::uint32_t>(delivery_.groups(id).size());
    status_.lane[id] = {.view_sequence = status_.view.sequence,
                        .orderer = lane.orderer,
                        .received = lane.received,
                        .limit = lane.limit,
                        .delivered = delivery_.delivered(id),
                        .order_hash = lane.order_hash};
  }
  std::size_t peers = 0;
  for (const NodeId node : config_.nodes) {
    if (node == config_.self) continue;
    shm::PeerStatus& peer = status_.peer[peers++];
    peer = {.node = node, .distrusts_itself = core_.distrusts_itself(node) ? 1U : 0U};
    peer.heard = peer.progressed = kNever;
    for (LaneId id = 0; id < config_.lanes; ++id) {
      peer.heard = std::min(peer.heard, core_.last_heard(node, id));
      peer.progressed = std::min(peer.progressed, core_.last_progress(node, id));
    }
    for (const Member& member : members) {
      if (member.node == node) peer.boot = member.boot;
    }
  }
  look_at_wire();
  look_at_gaps(now);
  control_.publish(status_);
}

void Worker::look_at_gaps(TimeNs now) noexcept {
  status_.gaps.recent = std::max(gap_, gap_before_);
  status_.gaps.longest = std::max(status_.gaps.longest, gap_);
  if (now - gap_since_ < kGapInterval) return;
  gap_before_ = gap_;
  gap_ = 0;
  gap_since_ = now;
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
}

}  // namespace phalanx::worker

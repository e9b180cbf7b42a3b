#include "tests/sim/data_plane.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "ipc/base/assert.h"

namespace phalanx::sim {
namespace {

constexpr std::size_t kPageBytes = 4096;

std::uint64_t ring_bytes(std::uint64_t at_least) {
  return std::max<std::uint64_t>(kPageBytes, std::bit_ceil(at_least));
}

std::vector<std::byte> encoded(const auto& message) {
  std::vector<std::byte> bytes;
  wire::encode(message, bytes);
  return bytes;
}

}  // namespace

std::uint32_t window_frames(const Scenario& scenario) {
  return std::max(4u, 2 * scenario.window_bytes / scenario.frame_payload_bytes);
}

core::CoreConfig core_config(const Scenario& scenario, Member self) {
  const NodeMemory::Sizes sizes = memory_sizes(scenario);
  return {.self = self.node,
          .boot = self.boot,
          .lanes = scenario.lanes,
          .frame_payload_bytes = scenario.frame_payload_bytes,
          .record_bytes_max =
              static_cast<std::uint32_t>(core::record_bytes(scenario.message_bytes_max)),
          .log_bytes = sizes.log,
          .stream_bytes = sizes.stream,
          .submit_window_bytes = scenario.submit_window_bytes,
          .window_bytes = scenario.window_bytes,
          .window_frames = window_frames(scenario),
          .copy_bytes_max = scenario.copy_bytes_max,
          .heartbeat_interval = scenario.heartbeat,
          .handover_bytes_min = scenario.handover_bytes_min};
}

NodeMemory::Sizes memory_sizes(const Scenario& scenario) {
  const std::uint64_t record = core::record_bytes(scenario.message_bytes_max);
  const std::uint64_t submits = scenario.nodes * std::uint64_t{scenario.submit_window_bytes};
  const std::uint64_t log = 2 * record + scenario.window_bytes + submits + core::kInstallBytes;
  return {.log = ring_bytes(std::max(scenario.log_bytes, log)),
          .stream = ring_bytes(record + scenario.submit_window_bytes),
          .staging = ring_bytes(record + scenario.submit_window_bytes),
          .origin = ring_bytes(scenario.submit_window_bytes)};
}

DataPlane::DataPlane(const DataPlaneParts& parts, Member self, std::uint64_t seed, TimeNs now,
                     const KeysHeld& keys)
    : scenario_(parts.scenario),
      port_(parts.port),
      observer_(parts.observer),
      trace_(parts.trace),
      self_(self),
      memory_(parts.pool, memory_sizes(parts.scenario), parts.scenario.lanes, parts.scenario.nodes),
      core_(core_config(parts.scenario, self), memory_.lanes()),
      taped_(parts.scenario.tapes, core_config(parts.scenario, self), parts.scenario.nodes),
      incarnation_(parts.observer.on_boot(self)),
      load_(parts.scenario, self.node, seed, now),
      seals_(parts.scenario.real_seals
                 ? make_real_seals(self, parts.scenario.nodes, parts.scenario.lanes, keys)
                 : make_model_seals(self, parts.scenario.nodes, parts.scenario.lanes)),
      scratch_(parts.scenario.frame_payload_bytes + 4096) {
  for (NodeId node = 1; node <= parts.scenario.nodes; ++node) seen_.push_back({.node = node});
  trace_.line(self_.node, "boot", "%s", observer_.facts().name(incarnation_).c_str());
}

std::size_t DataPlane::turn(TimeNs now, bool readers_paused) {
  if (distrust_until_ != 0 && now >= distrust_until_) {
    distrust_until_ = 0;
    tape().set_distrust(core_, false);
  }
  seals_->begin_turn(now);
  std::size_t work = receive(now);
  load_.on_time(now);
  const auto& origin = observer_.facts().incarnations[incarnation_].origin;
  std::vector<std::size_t> before;
  if (trace_.on()) {
    for (const OriginLane& lane : origin) before.push_back(lane.submissions.size());
  }
  work += load_.submit(core_, tape(), observer_, incarnation_);
  const auto traced = static_cast<LaneId>(before.size());
  for (LaneId lane = 0; lane < traced; ++lane) {
    for (std::size_t i = before[lane]; i < origin[lane].submissions.size(); ++i) {
      const Submission& s = origin[lane].submissions[i];
      trace_.line(self_.node, "sub", "%u %zu %s @%llu +%u%s", lane, i,
                  record_name(static_cast<std::uint8_t>(s.kind)),
                  static_cast<unsigned long long>(s.position), s.payload_bytes,
                  s.flags != 0 ? " s" : "");
    }
  }
  if (app_ != nullptr) work += app_->turn(core_, tape(), observer_, incarnation_, now);
  tape().on_time(core_, now);
  if (!readers_paused) work += deliver(now);
  work += send(now);
  if (!recovering_.is_none() && core_.recovered()) {
    events_.push_back({.kind = PlaneEvent::Kind::Recovered, .view = recovering_});
    recovering_ = {};
  }
  return work;
}

TimeNs DataPlane::wake_at() const noexcept {
  if (send_again_ || port_.waiting() != 0 || load_.is_copying(core_)) return 0;
  const TimeNs app = app_ != nullptr ? app_->wake_at() : kNever;
  return std::min({core_.wake_at(), load_.next_at(), app});
}

std::size_t DataPlane::receive(TimeNs now) {
  std::size_t frames = 0;
  while (const std::size_t count = port_.rx_burst(rx_)) {
    for (std::size_t i = 0; i < count; ++i) receive_frame(rx_[i].bytes, now);
    port_.rx_release(std::span(rx_).first(count));
    frames += count;
  }
  return frames;
}

void DataPlane::receive_frame(std::span<const std::byte> frame, TimeNs now) {
  Arrival arrival;
  if (!seals_->check(frame, arrival)) return;
  if (arrival.is_control()) {
    receive_control(arrival);
  } else {
    receive_data(arrival, now);
  }
}

std::byte* DataPlane::scratch(std::size_t bytes) {
  if (scratch_.size() < bytes) scratch_.resize(bytes);
  return scratch_.data();
}

bool DataPlane::open(Arrival& arrival, std::byte* target) {
  if (!seals_->open(arrival, target)) return false;
  // Boot keys are a bounded number a node: a control frame of a life long over can come again, and
  // the membership machine stands it. Within a view nothing does.
  if (seals_->refuses_replays() && !arrival.is_control()) {
    const wire::FrameHeader& header = arrival.header;
    observer_.on_open(incarnation_, seals_->key_of(header), wire::nonce_space(header.lane, false),
                      header.counter);
  }
  return true;
}

void DataPlane::receive_control(Arrival& arrival) {
  std::byte* opened = scratch(arrival.sealed.size());
  if (arrival.sealed.empty() || !open(arrival, opened)) return;
  const auto kind = static_cast<wire::MessageKind>(opened[0]);
  if (!arrival.addressed && kind != wire::MessageKind::Hello) return;
  const std::span<const std::byte> body{opened + 1, arrival.sealed.size() - 1};
  trace_.line(self_.node, "ctl", "< %s n%u %zu", message_name(static_cast<std::uint8_t>(kind)),
              arrival.from.node, body.size());
  events_.push_back({.kind = PlaneEvent::Kind::Message,
                     .from = arrival.from,
                     .message = kind,
                     .bytes = {body.begin(), body.end()}});
}

void DataPlane::receive_data(Arrival& arrival, TimeNs now) {
  const wire::FrameHeader& header = arrival.header;
  const std::size_t bytes = arrival.sealed.size();
  const core::Placement placement = core_.place(header, bytes);
  core::Verdict verdict = placement.verdict;
  if (verdict == core::Verdict::Accepted) {
    std::byte* target = placement.target != nullptr ? placement.target : scratch(bytes);
    if (!open(arrival, target)) return;
    verdict = tape().accept(core_, header, {target, bytes}, now);
    if (verdict == core::Verdict::Accepted) observer_.on_accept(incarnation_, header, bytes);
  }
  if (trace_.on()) {
    trace_.line(self_.node, "rx", "%s %u @%llu +%zu n%u %s",
                frame_name(static_cast<std::uint8_t>(header.type)), header.lane,
                static_cast<unsigned long long>(header.position), bytes, header.sender,
                verdict_name(static_cast<std::uint8_t>(verdict)));
  }
}

std::size_t DataPlane::deliver(TimeNs now) {
  std::size_t records = 0;
  core::LocalRecord record;
  for (LaneId lane = 0; lane < scenario_.lanes; ++lane) {
    while (core_.reader(lane).peek(record)) {
      if (trace_.on()) trace_delivery(lane, record);
      observer_.on_deliver(incarnation_, lane, record);
      if (app_ != nullptr && lane == 0) app_->deliver(record, now);
      core_.reader(lane).pop();
      ++records;
    }
  }
  return records;
}

void DataPlane::trace_delivery(LaneId lane, const core::LocalRecord& record) {
  const Reader& reader = observer_.facts().incarnations[incarnation_].readers[lane];
  trace_.line(self_.node, "dlv", "%u %llu:%llu %s n%u @%llu%s", lane,
              static_cast<unsigned long long>(observer_.facts().views[reader.view].id.sequence),
              static_cast<unsigned long long>(reader.index),
              record_name(static_cast<std::uint8_t>(record.header.kind)), record.header.origin,
              static_cast<unsigned long long>(record.header.stream_position),
              record.transitional ? " ~" : "");
}

std::size_t DataPlane::send(TimeNs now) {
  std::size_t frames = 0;
  send_again_ = false;
  for (int bursts = 0;; ++bursts) {
    const std::size_t count = tape().poll_tx(core_, items_, now);
    if (count != 0) {
      (void)port_.tx_alloc(std::span(tx_).first(count));
      for (std::size_t i = 0; i < count; ++i) seal_item(items_[i], tx_[i]);
      port_.tx_burst(std::span(tx_).first(count));
    }
    frames += count;
    if (count < items_.size()) return frames;
    if (bursts == 7) {  // A worker looks at its receive queue again before it goes on.
      send_again_ = true;
      return frames;
    }
  }
}

/// However short: every range of a log or a stream, but for those that run over its end.
bool DataPlane::is_gathered(const core::TxItem& item) const noexcept {
  if (!scenario_.gathers) return false;
  const auto lies_in = [&](const core::RingMemory& ring) {
    const std::byte* at = item.payload.data();
    return at >= ring.data && at + item.payload.size() <= ring.data + ring.bytes;
  };
  const core::LaneMemory& memory = memory_.lanes()[item.lane];
  return lies_in(memory.log) || lies_in(memory.stream);
}

void DataPlane::seal_item(const core::TxItem& item, transport::TxFrame& frame) {
  frame.to = item.to;
  if (is_gathered(item)) {
    seals_->seal_around(item, frame.bytes.first<wire::kOverheadBytes>());
    frame.length = wire::kOverheadBytes + item.payload.size();
    frame.gathered_at = wire::kHeaderBytes;
    frame.gathered = item.payload;
  } else {
    frame.length = seals_->seal_data(item, frame.bytes);
  }
  const auto header = wire::decode(std::span<const std::byte>(frame.bytes).first(frame.length));
  PHX_CHECK(header.has_value());
  if (trace_.on()) {
    trace_.line(self_.node, "tx", "%s %u @%llu +%zu %s%u",
                frame_name(static_cast<std::uint8_t>(item.type)), item.lane,
                static_cast<unsigned long long>(item.position), item.payload.size(),
                item.to.kind == transport::Destination::Kind::Peer ? "n" : "all", item.to.peer);
  }
  observer_.on_seal(incarnation_, seals_->key_of(*header), wire::nonce_space(header->lane, false),
                    header->counter);
  observer_.on_send(incarnation_, *header, item.payload);
}

void DataPlane::execute(const PlaneCommand& command, TimeNs now) {
  switch (command.kind) {
    case PlaneCommand::Kind::Send:
      send_control(command.send);
      return;
    case PlaneCommand::Kind::Freeze: {
      tape().freeze(core_, now);
      const wire::Report report = core_.report(command.attempt);
      (void)tape().report(core_, command.attempt, now);
      events_.push_back({.kind = PlaneEvent::Kind::Frozen, .report = report});
      return;
    }
    case PlaneCommand::Kind::Recover:
      if (!seals_->holds(command.plan.key_id)) {
        events_.push_back({.kind = PlaneEvent::Kind::Refused, .view = command.plan.attempt});
        return;
      }
      if (tape().begin_recovery(core_, command.plan, encoded(command.plan), now)) {
        recovering_ = command.plan.attempt;
      } else {
        events_.push_back({.kind = PlaneEvent::Kind::Refused, .view = command.plan.attempt});
      }
      return;
    case PlaneCommand::Kind::Install: {
      if (core_.view() != command.plan.attempt) {
        observer_.on_install(incarnation_, command.plan, command.quorate, command.amendment);
        tape().install(core_, command.plan, encoded(command.plan), now, command.quorate);
        taped_.check(core_, now);
        recovering_ = {};
        std::vector<NodeId> nodes;
        for (const Member& member : command.plan.members) nodes.push_back(member.node);
        seals_->install(command.plan.attempt, command.plan.members, command.plan.key_id);
        port_.set_members(nodes);
      }
      events_.push_back({.kind = PlaneEvent::Kind::Installed, .view = command.plan.attempt});
      return;
    }
  }
}

void DataPlane::send_control(const membership::Send& send) {
  using Kind = transport::Destination::Kind;
  switch (send.to) {
    case membership::Send::To::Node:
      send_control_to({send.node, send.boot}, {Kind::Peer, send.node}, send);
      return;
    case membership::Send::To::Attempt:
      for (const Member& member : send.members)
        send_control_to(member, {Kind::Peer, member.node}, send);
      return;
    case membership::Send::To::Everyone:
      for (std::size_t which = 0; which < seals_->hellos(); ++which)
        send_control_to({}, {.kind = Kind::Everyone}, send, which);
      return;
  }
}

void DataPlane::send_control_to(Member receiver, const transport::Destination& to,
                                const membership::Send& send, std::size_t which) {
  std::vector<std::byte> message{static_cast<std::byte>(send.kind)};
  message.insert(message.end(), send.bytes.begin(), send.bytes.end());
  std::vector<std::byte> frame(message.size() + wire::kControlOverheadBytes);
  frame.resize(seals_->seal_control(receiver.boot, message, frame, which));
  const auto header = wire::decode(frame);
  PHX_CHECK(header.has_value());
  observer_.on_seal(incarnation_, seals_->key_of(*header), wire::nonce_space(header->lane, true),
                    header->counter);
  trace_.line(self_.node, "ctl", "> %s n%u %zu", message_name(static_cast<std::uint8_t>(send.kind)),
              to.peer, send.bytes.size());
  port_.send_large(frame, to);
}

void DataPlane::distrust_until(TimeNs until) noexcept {
  distrust_until_ = until;
  tape().set_distrust(core_, true);
}

const std::vector<membership::PeerSeen>& DataPlane::peers_seen(TimeNs now) {
  for (membership::PeerSeen& peer : seen_) {
    if (peer.node == self_.node) {
      peer = {.node = self_.node,
              .heard = now,
              .progressed = now,
              .distrusts_itself = distrust_until_ != 0};
      continue;
    }
    peer.heard = peer.progressed = kNever;
    for (LaneId lane = 0; lane < scenario_.lanes; ++lane) {
      peer.heard = std::min(peer.heard, core_.last_heard(peer.node, lane));
      peer.progressed = std::min(peer.progressed, core_.last_progress(peer.node, lane));
    }
    peer.distrusts_itself = core_.distrusts_itself(peer.node);
  }
  return seen_;
}

}  // namespace phalanx::sim

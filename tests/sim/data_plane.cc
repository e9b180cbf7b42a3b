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

}  // namespace

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
          .window_frames = std::max(4u, 2 * scenario.window_bytes / scenario.frame_payload_bytes),
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

DataPlane::DataPlane(const DataPlaneParts& parts, Member self, std::uint64_t seed, TimeNs now)
    : scenario_(parts.scenario),
      port_(parts.port),
      observer_(parts.observer),
      trace_(parts.trace),
      self_(self),
      memory_(parts.pool, memory_sizes(parts.scenario), parts.scenario.lanes, parts.scenario.nodes),
      core_(core_config(parts.scenario, self), memory_.lanes()),
      incarnation_(parts.observer.on_boot(self)),
      load_(parts.scenario, self.node, seed, now),
      boot_key_(boot_key(self)),
      scratch_(parts.scenario.frame_payload_bytes + 4096) {
  for (NodeId node = 1; node <= parts.scenario.nodes; ++node) seen_.push_back({.node = node});
  trace_.line(self_.node, "boot", "%s", observer_.facts().name(incarnation_).c_str());
}

std::size_t DataPlane::turn(TimeNs now, bool readers_paused) {
  if (distrust_until_ != 0 && now >= distrust_until_) {
    distrust_until_ = 0;
    core_.set_distrust(false);
  }
  std::size_t work = receive(now);
  load_.on_time(now);
  const auto& origin = observer_.facts().incarnations[incarnation_].origin;
  std::vector<std::size_t> before;
  if (trace_.on()) {
    for (const OriginLane& lane : origin) before.push_back(lane.submissions.size());
  }
  work += load_.submit(core_, observer_, incarnation_);
  for (LaneId lane = 0; lane < before.size(); ++lane) {
    for (std::size_t i = before[lane]; i < origin[lane].submissions.size(); ++i) {
      const Submission& s = origin[lane].submissions[i];
      trace_.line(self_.node, "sub", "%u %zu %s @%llu +%u%s", lane, i,
                  record_name(static_cast<std::uint8_t>(s.kind)),
                  static_cast<unsigned long long>(s.position), s.payload_bytes,
                  s.flags != 0 ? " s" : "");
    }
  }
  core_.on_time(now);
  if (!readers_paused) work += deliver();
  work += send(now);
  if (!recovering_.is_none() && core_.recovered()) {
    events_.push_back({.kind = PlaneEvent::Kind::Recovered, .view = recovering_});
    recovering_ = {};
  }
  return work;
}

TimeNs DataPlane::wake_at() const noexcept {
  if (send_again_ || port_.waiting() != 0 || load_.is_copying(core_)) return 0;
  return std::min(core_.wake_at(), load_.next_at());
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
  const auto header = wire::decode(frame);
  if (!header || header->sender == 0 || header->sender > scenario_.nodes ||
      header->sender == self_.node)
    return;
  if (header->type == wire::FrameType::Control) {
    receive_control(*header, frame);
  } else {
    receive_data(*header, frame, now);
  }
}

void DataPlane::receive_control(const wire::FrameHeader& header, std::span<const std::byte> frame) {
  constexpr std::size_t kClear = 32;  // Boot ids of sender and receiver.
  if (frame.size() < wire::kOverheadBytes + kClear + 1) return;
  const std::byte* clear = frame.data() + wire::kHeaderBytes;
  Member from{.node = header.sender, .boot = {}};
  BootId receiver;
  std::memcpy(from.boot.bytes.data(), clear, 16);
  std::memcpy(receiver.bytes.data(), clear + 16, 16);
  const SealKey key = boot_key(from);
  if (key.tag != header.key_tag || !tag_compares(key, frame)) return;
  const auto kind = static_cast<wire::MessageKind>(clear[kClear]);
  if (receiver.is_none() ? kind != wire::MessageKind::Hello : receiver != self_.boot) return;
  const auto body = frame.subspan(wire::kHeaderBytes + kClear + 1,
                                  frame.size() - wire::kOverheadBytes - kClear - 1);
  trace_.line(self_.node, "ctl", "< %s n%u %zu", message_name(static_cast<std::uint8_t>(kind)),
              from.node, body.size());
  events_.push_back({.kind = PlaneEvent::Kind::Message,
                     .from = from,
                     .message = kind,
                     .bytes = {body.begin(), body.end()}});
}

void DataPlane::receive_data(const wire::FrameHeader& header, std::span<const std::byte> frame,
                             TimeNs now) {
  const SealKey& key = member_keys_[header.sender];
  if (key.key == 0 || key.tag != header.key_tag || header.lane >= scenario_.lanes) return;
  const auto sealed = frame.subspan(wire::kHeaderBytes, frame.size() - wire::kOverheadBytes);
  const core::Placement placement = core_.place(header, sealed.size());
  core::Verdict verdict = placement.verdict;
  if (verdict == core::Verdict::Accepted) {
    // A cipher writes plaintext before the tag is known to compare: so does this.
    std::byte* target = placement.target;
    if (target == nullptr) {
      if (scratch_.size() < sealed.size()) scratch_.resize(sealed.size());
      target = scratch_.data();
    }
    std::memcpy(target, sealed.data(), sealed.size());
    if (!tag_compares(key, frame)) return;
    verdict = core_.accept(header, {target, sealed.size()}, now);
    if (verdict == core::Verdict::Accepted)
      observer_.on_accept(incarnation_, header, sealed.size());
  }
  if (trace_.on()) {
    trace_.line(self_.node, "rx", "%s %u @%llu +%zu n%u %s",
                frame_name(static_cast<std::uint8_t>(header.type)), header.lane,
                static_cast<unsigned long long>(header.position), sealed.size(), header.sender,
                verdict_name(static_cast<std::uint8_t>(verdict)));
  }
}

std::size_t DataPlane::deliver() {
  std::size_t records = 0;
  core::LocalRecord record;
  for (LaneId lane = 0; lane < scenario_.lanes; ++lane) {
    while (core_.reader(lane).peek(record)) {
      if (trace_.on()) trace_delivery(lane, record);
      observer_.on_deliver(incarnation_, lane, record);
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
    const std::size_t count = core_.poll_tx(items_, now);
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

void DataPlane::seal_item(const core::TxItem& item, transport::TxFrame& frame) {
  const std::uint32_t space = static_cast<std::uint32_t>(item.lane) << 1;
  const wire::FrameHeader header{.type = item.type,
                                 .lane = item.lane,
                                 .sender = self_.node,
                                 .key_tag = view_key_.tag,
                                 .counter = ++counters_[space],
                                 .position = item.position};
  frame.length = wire::kOverheadBytes + item.payload.size();
  frame.to = item.to;
  PHX_CHECK(frame.length <= frame.bytes.size());
  wire::encode(header, frame.bytes.first<wire::kHeaderBytes>());
  std::memcpy(&frame.bytes[wire::kHeaderBytes], item.payload.data(), item.payload.size());
  seal(view_key_, frame.bytes.first(frame.length));
  if (trace_.on()) {
    trace_.line(self_.node, "tx", "%s %u @%llu +%zu %s%u",
                frame_name(static_cast<std::uint8_t>(item.type)), item.lane,
                static_cast<unsigned long long>(item.position), item.payload.size(),
                item.to.kind == transport::Destination::Kind::Peer ? "n" : "all", item.to.peer);
  }
  observer_.on_seal(incarnation_, view_key_.key, space, header.counter);
  observer_.on_send(incarnation_, header, item.payload);
}

void DataPlane::execute(const PlaneCommand& command, TimeNs now) {
  switch (command.kind) {
    case PlaneCommand::Kind::Send:
      send_control(command.send);
      return;
    case PlaneCommand::Kind::Freeze:
      core_.freeze();
      events_.push_back(
          {.kind = PlaneEvent::Kind::Frozen, .report = core_.report(command.attempt)});
      return;
    case PlaneCommand::Kind::Recover:
      if (core_.begin_recovery(command.plan, now)) {
        recovering_ = command.plan.attempt;
      } else {
        events_.push_back({.kind = PlaneEvent::Kind::Refused, .view = command.plan.attempt});
      }
      return;
    case PlaneCommand::Kind::Install: {
      if (core_.view() != command.plan.attempt) {
        observer_.on_install(incarnation_, command.plan);
        core_.install(command.plan, now);
        recovering_ = {};
        std::vector<NodeId> nodes;
        member_keys_.fill({});
        for (const Member& member : command.plan.members) {
          nodes.push_back(member.node);
          member_keys_[member.node] = view_key(command.plan.attempt, member);
        }
        view_key_ = member_keys_[self_.node];
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
      send_control_to({}, {.kind = Kind::Everyone}, send);
      return;
  }
}

void DataPlane::send_control_to(Member receiver, const transport::Destination& to,
                                const membership::Send& send) {
  const std::uint32_t space = 1;
  const wire::FrameHeader header{.type = wire::FrameType::Control,
                                 .sender = self_.node,
                                 .key_tag = boot_key_.tag,
                                 .counter = ++counters_[space]};
  std::vector<std::byte> frame(wire::kHeaderBytes);
  wire::encode(header, std::span(frame).first<wire::kHeaderBytes>());
  const auto append = [&frame](std::span<const std::byte> bytes) {
    frame.insert(frame.end(), bytes.begin(), bytes.end());
  };
  append(std::as_bytes(std::span(self_.boot.bytes)));
  append(std::as_bytes(std::span(receiver.boot.bytes)));
  frame.push_back(static_cast<std::byte>(send.kind));
  append(send.bytes);
  frame.resize(frame.size() + wire::kTagBytes);
  seal(boot_key_, frame);
  observer_.on_seal(incarnation_, boot_key_.key, space, header.counter);
  trace_.line(self_.node, "ctl", "> %s n%u %zu", message_name(static_cast<std::uint8_t>(send.kind)),
              to.peer, send.bytes.size());
  port_.send_large(frame, to);
}

void DataPlane::distrust_until(TimeNs until) noexcept {
  distrust_until_ = until;
  core_.set_distrust(true);
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

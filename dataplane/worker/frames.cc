#include "dataplane/worker/frames.h"

#include <algorithm>

#include "dataplane/core/row.h"

namespace phalanx::worker {
namespace {

using shm::Counter;

Counter counter_of(wire::FrameVerdict verdict) noexcept {
  switch (verdict) {
    case wire::FrameVerdict::Good:
      return Counter::RxFrames;
    case wire::FrameVerdict::Malformed:
      return Counter::RxMalformed;
    case wire::FrameVerdict::OtherVersion:
      return Counter::RxOtherVersion;
    case wire::FrameVerdict::OwnNode:
      return Counter::RxOwnNode;
    case wire::FrameVerdict::UnknownSender:
      return Counter::RxUnknownSender;
    case wire::FrameVerdict::UnknownKey:
      return Counter::RxUnknownKey;
    case wire::FrameVerdict::OtherReceiver:
      return Counter::RxOtherReceiver;
    case wire::FrameVerdict::Replayed:
      return Counter::RxReplayed;
    case wire::FrameVerdict::BadTag:
      return Counter::RxBadTag;
  }
  return Counter::RxMalformed;
}

Counter counter_of(core::Verdict verdict) noexcept {
  switch (verdict) {
    case core::Verdict::Accepted:
      return Counter::RxFrames;
    case core::Verdict::Malformed:
      return Counter::RxMalformed;
    case core::Verdict::WrongState:
      return Counter::RxWrongState;
    case core::Verdict::OutOfRange:
      return Counter::RxOutOfRange;
    case core::Verdict::Duplicate:
      return Counter::RxDuplicate;
    case core::Verdict::NotMember:
      return Counter::RxNotMember;
  }
  return Counter::RxMalformed;
}

constexpr bool is_nak(wire::FrameType type) noexcept {
  return type == wire::FrameType::Nak || type == wire::FrameType::RecoverNak;
}
constexpr bool is_heartbeat(wire::FrameType type) noexcept { return type == wire::FrameType::Row; }

constexpr std::size_t kFewFrames = 4;
constexpr std::size_t kLine = 64;

/// Has the lines of a frame on their way before the cipher wants them: peers wrote them on other
/// cores.
void fetch_to_read(std::span<const std::byte> frame) noexcept {
  const std::byte* const end = frame.data() + frame.size();
  for (const std::byte* at = frame.data(); at < end; at += 2 * kLine) {
    __builtin_prefetch(at);
    __builtin_prefetch(at + kLine);
  }
}

/// Likewise of a buffer that is about to be written, and that peers read last.
void fetch_to_write(std::span<std::byte> buffer, std::size_t payload_bytes) noexcept {
  const std::byte* const end =
      buffer.data() + std::min(buffer.size(), payload_bytes + wire::kOverheadBytes);
  for (const std::byte* at = buffer.data(); at < end; at += 2 * kLine) {
    asm volatile("prefetchw %0\n\tprefetchw %1" : : "m"(at[0]), "m"(at[kLine]));
  }
}

}  // namespace

Frames::Frames(core::Core& core, transport::Transport& transport, wire::KeyTable& keys,
               shm::ControlWorkerEnd& control, recorder::Recorder& recorder, tape::CoreTape& tape,
               bool takes_control, const GatherMemory* gathers)
    : core_(core),
      transport_(transport),
      keys_(keys),
      control_(control),
      recorder_(recorder),
      tape_(tape),
      takes_control_(takes_control),
      gathers_(gathers),
      sealer_(keys),
      opener_(keys),
      scratch_(transport.limits().frame_bytes_max),
      fragment_(transport.limits().frame_bytes_max - wire::kControlOverheadBytes),
      several_links_(transport.links() > 1) {}

std::size_t Frames::receive(TimeNs now, std::size_t bursts_max) noexcept {
  std::size_t frames = 0;
  std::uint64_t bytes = 0;
  keys_.begin_turn(now);
  for (std::size_t burst = 0; burst < bursts_max; ++burst) {
    const std::size_t taken = transport_.rx_burst(rx_);
    if (taken == 0) break;
    count(Counter::RxBursts);
    for (std::size_t i = 0; i < taken; ++i) {
      if (i + 1 < taken) fetch_to_read(rx_[i + 1].bytes);
      bytes += rx_[i].bytes.size();
      take(rx_[i], now);
    }
    transport_.rx_release(std::span(rx_).first(taken));
    frames += taken;
    if (taken < rx_.size()) break;  // That was all: asking again is another system call.
  }
  if (frames > 0) {
    count(Counter::RxFrames, frames);
    count(Counter::RxBytes, bytes);
  }
  return frames;
}

// Nothing has an effect before the tag compared. Dropped frames are counted, never logged: whoever
// sends them chooses how often this runs.
void Frames::take(const transport::RxFrame& received, TimeNs now) noexcept {
  wire::CheckedFrame frame = opener_.check(received.bytes);
  if (frame.verdict != wire::FrameVerdict::Good) [[unlikely]] {
    // Most of what two links bring twice comes from no attacker.
    const bool copy = several_links_ && frame.verdict == wire::FrameVerdict::Replayed;
    count(copy ? Counter::RxCopies : counter_of(frame.verdict));
  } else if (frame.is_control()) {
    take_control(frame, received);
  } else if (frame.key->use != wire::KeyUse::View) {
    count(
        Counter::RxWrongState);  // Of a view that is not installed here yet: asked for again then.
  } else {
    take_data(frame, received, now);
  }
}

void Frames::take_data(wire::CheckedFrame& frame, const transport::RxFrame& received,
                       TimeNs now) noexcept {
  const core::Placement place = core_.place(frame.header, frame.sealed.size());
  if (place.verdict != core::Verdict::Accepted) {
    count(counter_of(place.verdict));
    return;
  }
  std::byte* target = place.target != nullptr ? place.target : scratch_.data();
  if (!opener_.open(frame, target)) [[unlikely]] {
    count(Counter::RxBadTag);
    return;
  }
  const core::Verdict verdict =
      tape_.accept(core_, frame.header, {target, frame.sealed.size()}, now);
  if (verdict != core::Verdict::Accepted) count(counter_of(verdict));
  if (is_nak(frame.header.type)) [[unlikely]] {
    count(Counter::NaksHeard);
    note_nak(frame.sender().node, frame.header.lane, &Losses::naks_heard);
    record_nak(recorder::Kind::NakHeard, frame.header.lane, frame.header.sender,
               {target, frame.sealed.size()});
  }
  data_seen_ = data_seen_ || !is_heartbeat(frame.header.type);
  if (several_links_ && is_heartbeat(frame.header.type)) [[unlikely]] {
    transport_.heard(frame.sender().node, frame.header.links_heard, received);
  }
}

void Frames::take_control(wire::CheckedFrame& frame, const transport::RxFrame& received) {
  // Sent again to a worker that has not seen it, it would be fresh there.
  if (!takes_control_) {
    count(Counter::RxWrongState);
    return;
  }
  if (!opener_.open(frame, scratch_.data())) {
    count(Counter::RxBadTag);
    return;
  }
  // Never from a dead incarnation: its frames can be replayed, from anywhere.
  const std::span<const Member> members = core_.members();
  const auto known = std::find_if(members.begin(), members.end(), [&](const Member& member) {
    return member.node == frame.sender().node;
  });
  if (known == members.end() || *known == frame.sender()) {
    transport_.authenticated(frame.sender().node, received);
    if (several_links_) transport_.heard(frame.sender().node, frame.header.links_heard, received);
  }
  const auto fragment = wire::decode_fragment(std::span(scratch_).first(frame.sealed.size()));
  // A hello may be for anyone; all else names the incarnation that it is for.
  if (!fragment || (!frame.addressed && fragment->kind != wire::MessageKind::Hello)) {
    count(Counter::RxMalformed);
    return;
  }
  auto message = reassembler_.take(frame.sender(), *fragment);
  if (!message) return;
  count(Counter::ControlMessagesIn);
  control_.post({.kind = shm::WorkerEventKind::ControlMessage,
                 .message_kind = static_cast<std::uint8_t>(message->kind),
                 .sender = frame.sender(),
                 .bytes = std::move(message->bytes)});
}

std::size_t Frames::send(TimeNs now) noexcept {
  std::size_t sent = 0;
  std::uint64_t bytes = 0;
  const std::size_t burst = std::min<std::size_t>(kBurst, transport_.limits().burst_frames_max);
  if (several_links_) [[unlikely]]
    sealer_.say_links_heard(transport_.links_heard());
  // Most turns of a node that is not busy send nothing: to borrow a whole burst each time would
  // take longer than all the rest of such a turn.
  const bool few = sent_before_ < kFewFrames && !core_.frozen();  // A recovery asks many at once.
  std::size_t wanted = few ? std::min(kFewFrames, burst) : burst;
  for (;;) {
    const std::size_t room = transport_.tx_alloc(std::span(tx_).first(wanted));
    const std::size_t items =
        room == 0 ? 0 : tape_.poll_tx(core_, std::span(items_).first(room), now);
    std::size_t frames = 0;
    const core::TxItem* row = nullptr;
    for (std::size_t i = 0; i < items; ++i) {
      const core::TxItem& item = items_[i];
      if (core_.members().size() < 2) break;  // Alone: there is nobody to seal for.
      if (i + 1 < items) {
        const core::TxItem& next = items_[i + 1];
        fetch_to_write(tx_[frames + 1].bytes, is_gathered(next) ? 0 : next.payload.size());
      }
      transport::TxFrame& frame = tx_[frames++];
      frame.to = item.to;
      frame.can_wait = item.can_wait;
      if (several_links_ && is_heartbeat(item.type)) row = &item;
      seal(item, frame);
      bytes += frame.length;
      data_seen_ = data_seen_ || !is_heartbeat(item.type);
      if (is_nak(item.type)) [[unlikely]] {
        count(Counter::NaksSent);
        note_nak(item.to.peer, item.lane, &Losses::naks_sent);
        record_nak(recorder::Kind::NakSent, item.lane, item.to.peer, item.payload);
      }
    }
    if (frames > 0) count(Counter::TxBursts);
    if (room > 0) transport_.tx_burst(std::span(tx_).first(frames));
    while (row != nullptr && transport_.probe_due()) probe_links(*row);
    sent += frames;
    if (items < room || room == 0) break;
    wanted = burst;
  }
  sent_before_ = sent;
  if (sent > 0) {
    count(Counter::TxFrames, sent);
    count(Counter::TxBytes, bytes);
  }
  return sent;
}

void Frames::seal(const core::TxItem& item, transport::TxFrame& frame) noexcept {
  if (!is_gathered(item)) {
    frame.length =
        sealer_.seal_data(item.type, item.lane, item.position, item.payload, frame.bytes);
    return;
  }
  sealer_.seal_around(item.type, item.lane, item.position, item.payload,
                      frame.bytes.first<wire::kOverheadBytes>());
  frame.length = wire::kOverheadBytes + item.payload.size();
  frame.gathered_at = wire::kHeaderBytes;
  frame.gathered = item.payload;
}

/// A row once more, as a frame of its own, for the link whose probe is due. Rows may come twice.
void Frames::probe_links(const core::TxItem& row) noexcept {
  transport::TxFrame& frame = tx_[0];
  if (transport_.tx_alloc(std::span(tx_).first(1)) == 0) return;
  frame.to = row.to;
  frame.spread = transport::Spread::Probe;
  frame.length = sealer_.seal_data(row.type, row.lane, row.position, row.payload, frame.bytes);
  transport_.tx_burst(std::span(tx_).first(1));
  count(Counter::TxFrames);
  count(Counter::TxBytes, frame.length);
}

Frames::Losses Frames::losses(NodeId peer) const noexcept {
  for (const PeerLosses& known : peer_losses_) {
    if (known.node == peer) return known.losses;
  }
  return {};
}

/// Only frames are noted whose tag was right: there are no more peers than configured nodes.
void Frames::note_nak(NodeId peer, LaneId lane, std::uint64_t Losses::*which) noexcept {
  ++(lane_losses_[lane].*which);
  for (PeerLosses& known : peer_losses_) {
    if (known.node == 0) known.node = peer;
    if (known.node != peer) continue;
    ++(known.losses.*which);
    return;
  }
}

void Frames::record_nak(recorder::Kind kind, LaneId lane, NodeId node,
                        std::span<const std::byte> payload) noexcept {
  core::Nak nak;
  if (!core::decode_nak(payload, nak) || nak.count == 0) return;
  const std::size_t last = std::min<std::size_t>(nak.count, core::Nak::kSpansMax) - 1;
  recorder_.note(kind, {.lane = lane,
                        .node = node,
                        .view = core_.view().sequence,
                        .a = nak.spans[0].from,
                        .b = nak.spans[last].to,
                        .c = nak.what == core::Nak::What::Log ? 1U : 0U});
}

void Frames::send_control(wire::MessageKind kind, std::span<const Member> to,
                          std::span<const std::byte> message) {
  using Kind = transport::Destination::Kind;
  count(Counter::ControlMessagesOut);
  // Under each cluster key: nobody knows which of them a stranger holds. Each a message of its own,
  // so that whoever holds both puts neither together of parts of the two.
  for (std::size_t which = 0; to.empty() && which < keys_.held(); ++which) {
    if (which > 0) ++next_message_;
    send_fragments(kind, {.kind = Kind::Everyone}, {}, keys_.boot_seal(which), message);
  }
  for (const Member& member : to) {
    if (member.node == keys_.self().node) continue;
    send_fragments(kind, {.kind = Kind::Peer, .peer = member.node}, member.boot,
                   keys_.boot_seal(member.boot), message);
  }
  ++next_message_;
}

// Lost fragments are not asked for: control planes repeat their messages.
void Frames::send_fragments(wire::MessageKind kind, const transport::Destination& to,
                            const BootId& receiver, const wire::KeyTable::SealKey& with,
                            std::span<const std::byte> message) {
  const std::size_t fragments = wire::fragments_of(message.size(), fragment_.size());
  std::uint64_t bytes = 0;
  std::size_t done = 0;
  while (done < fragments) {
    const std::size_t wanted =
        std::min({kBurst, fragments - done, std::size_t{transport_.limits().burst_frames_max}});
    const std::size_t room = transport_.tx_alloc(std::span(tx_).first(wanted));
    if (room == 0) {
      count(Counter::ControlMessagesLost);
      break;
    }
    for (std::size_t i = 0; i < room; ++i) {
      const std::size_t length =
          wire::encode_fragment(kind, next_message_, done + i, message, fragment_);
      tx_[i].to = to;
      tx_[i].spread = transport::Spread::Every;
      tx_[i].length =
          sealer_.seal_control(0, receiver, std::span(fragment_).first(length), tx_[i].bytes, with);
      bytes += tx_[i].length;
    }
    transport_.tx_burst(std::span(tx_).first(room));
    done += room;
  }
  count(Counter::TxFrames, done);
  count(Counter::TxBytes, bytes);
}

}  // namespace phalanx::worker

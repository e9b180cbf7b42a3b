#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "dataplane/core/core.h"
#include "dataplane/core/row.h"
#include "ipc/base/assert.h"
#include "ipc/shm/mirrored_ring.h"
#include "tests/fuzz/input.h"

namespace {

using namespace phalanx;
using namespace phalanx::core;
using fuzz::Input;
using fuzz::member_of;

constexpr NodeId kSelf = 2;
constexpr LaneId kLanes = 2;  // Node 1 orders the first, this node the second.
constexpr std::uint64_t kLogBytes = 64 * 1024;
constexpr std::uint64_t kSmallBytes = 8 * 1024;

CoreConfig config() {
  return {.self = kSelf,
          .boot = member_of(kSelf).boot,
          .lanes = kLanes,
          .frame_payload_bytes = 512,
          .record_bytes_max = 4096,
          .submit_window_bytes = 2048,
          .window_bytes = 4096,
          .window_frames = 64,
          .handover_bytes_min = 256};
}

/// Memory of both lanes, made once: what a run left in it is rubbish to the next one as well.
std::vector<LaneMemory> memory() {
  static std::vector<shm::MirroredRing> rings;
  const auto ring = [](std::uint64_t bytes) {
    auto made = shm::MirroredRing::create(bytes);
    PHX_CHECK(made.has_value());
    rings.push_back(std::move(*made));
    return RingMemory{rings.back().data(), bytes};
  };
  static std::vector<LaneMemory> lanes = [&] {
    std::vector<LaneMemory> made(kLanes);
    for (LaneMemory& lane : made) {
      lane = {ring(kLogBytes), ring(kSmallBytes), ring(kSmallBytes), {}};
      for (int i = 0; i < 3; ++i) lane.origins.push_back(ring(4096));
    }
    return made;
  }();
  for (const shm::MirroredRing& each : rings) std::memset(each.data(), 0xA5, each.bytes());
  return lanes;
}

/// Node 2 between two peers that hold the key and send whatever they like.
class Node {
 public:
  explicit Node(Input& input) : in_(input), core_(config(), memory()) {
    core_.freeze();
    change_view(/*honest=*/true);
  }

  void step() {
    switch (in_.choose(8)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return receive();
      case 4:
        return submit();
      case 5:
        now_ += in_.number() % kSecond;
        return turn();
      case 6:
        return turn();
      default:
        core_.freeze();
        if (in_.flip()) return receive();
        return change_view(in_.flip());
    }
  }

  void turn() {
    core_.on_time(now_);
    read();
    std::array<TxItem, 16> items;
    for (std::size_t count = items.size(); count == items.size();) {
      count = core_.poll_tx(items, now_);
      for (const TxItem& item : std::span(items).first(count)) touch(item.payload);
    }
  }

 private:
  static void touch(std::span<const std::byte> bytes) {
    static volatile unsigned sum;
    for (const std::byte byte : bytes) sum = sum + static_cast<unsigned>(byte);
  }

  void read() {
    for (LaneId lane = 0; lane < kLanes; ++lane) {
      LocalRecord record;
      for (int most = static_cast<int>(in_.choose(8)) * 4; most > 0; --most) {
        if (!core_.reader(lane).peek(record)) break;
        PHX_CHECK(record.payload.size() <= config().record_bytes_max);
        touch(record.payload);
        core_.reader(lane).pop();
      }
      const LaneStatus status = core_.lane_status(lane);
      PHX_CHECK(status.delivered <= status.received && status.stable <= status.received);
    }
  }

  void submit() {
    const std::vector<std::byte> payload(in_.number(100) % 4000);
    (void)core_.append(static_cast<LaneId>(in_.choose(kLanes)),
                       {.client = 1, .group = 7, .safe = in_.flip(), .payload = payload});
  }

  /// Some records, each with one field that may be wrong.
  std::vector<std::byte> records(NodeId from, Position stream) {
    std::vector<std::byte> out;
    for (std::size_t left = in_.choose(4) + 1; left > 0; --left) {
      const auto bytes = static_cast<std::uint32_t>(in_.choose(64));
      RecordHeader header{.payload_bytes = bytes,
                          .kind = static_cast<RecordKind>(in_.choose(8)),
                          .flags = static_cast<std::uint8_t>(in_.choose(3)),
                          .origin = from,
                          .client = 1,
                          .stream_position = stream,
                          .group = 7};
      switch (in_.choose(16)) {
        case 0:
          header.payload_bytes = static_cast<std::uint32_t>(in_.number(bytes));
          break;
        case 1:
          header.kind = static_cast<RecordKind>(in_.take(1));
          break;
        case 2:
          header.origin = static_cast<NodeId>(in_.choose(5));
          break;
        case 3:
          header.stream_position = in_.number(stream);
          break;
        default:
          break;
      }
      const std::size_t at = out.size();
      out.resize(at + record_bytes(bytes));
      encode_record_header(header, out.data() + at);
      const auto payload = in_.bytes(bytes);
      std::copy(payload.begin(), payload.end(), out.begin() + static_cast<long>(at) + 32);
      stream += record_bytes(bytes);
    }
    return out;
  }

  std::vector<std::byte> row(const LaneStatus& status) {
    std::array<std::byte, kRowBytesMax> bytes;
    Row row{.received = in_.number(status.received),
            .limit = in_.number(status.received + 4096),
            .log_end = in_.number(status.received),
            .stream_end = in_.number(sent_),
            .bulk_end = in_.number(),
            .hash_index = in_.number(),
            .hash = in_.number(),
            .handovers = static_cast<std::uint32_t>(in_.number(status.handovers)),
            .distrusts_itself = in_.flip(),
            .orderer = in_.flip(),
            .origin_count = static_cast<std::uint8_t>(in_.choose(3) * 3 % 4),
            .origins = {}};
    for (std::size_t i = 0; i < row.origin_count; ++i)
      row.origins[i] = {in_.number(status.stream_end), in_.number(status.stream_end)};
    const std::size_t length = encode_row(row, bytes);
    return {bytes.begin(), bytes.begin() + static_cast<long>(length)};
  }

  std::vector<std::byte> nak(const LaneStatus& status) {
    std::array<std::byte, kNakBytesMax> bytes;
    Nak nak{.what = in_.flip() ? Nak::What::Log : Nak::What::Stream, .count = 0, .spans = {}};
    nak.count = static_cast<std::uint8_t>(in_.choose(Nak::kSpansMax) + 1);
    for (std::size_t i = 0; i < nak.count; ++i)
      nak.spans[i] = {in_.number(status.stable), in_.number(status.received)};
    const std::size_t length = encode_nak(nak, bytes);
    return {bytes.begin(), bytes.begin() + static_cast<long>(length)};
  }

  void receive() {
    const NodeId from = in_.flip() ? 1 : 3;
    wire::FrameHeader header{.type = static_cast<wire::FrameType>(in_.choose(8)),
                             .lane = static_cast<LaneId>(in_.choose(kLanes)),
                             .sender = from};
    const LaneStatus status = core_.lane_status(header.lane);
    std::vector<std::byte> payload;
    const std::size_t what = in_.choose(8);
    const bool stream = header.type == wire::FrameType::Submit;
    if (what == 0) {
      header.position = in_.number(status.received);
      const auto raw = in_.bytes(in_.choose(256));
      payload.assign(raw.begin(), raw.end());
    } else if (header.type == wire::FrameType::Row) {
      payload = row(status);
    } else if (header.type == wire::FrameType::Nak || header.type == wire::FrameType::RecoverNak) {
      payload = nak(status);
    } else {
      header.position = what < 6 ? (stream ? sent_ : status.received) : in_.number(status.received);
      payload = records(from, sent_);
      if (stream) sent_ += payload.size();
    }
    const Placement where = core_.place(header, payload.size());
    if (where.verdict != Verdict::Accepted) return;
    std::span<const std::byte> opened = payload;
    if (where.target != nullptr) {
      std::copy(payload.begin(), payload.end(), where.target);
      opened = {where.target, payload.size()};
    }
    (void)core_.accept(header, opened, now_);
  }

  /// A view change with what the representative makes of this node's report; unless it is honest,
  /// some numbers of the plan are others. Only plans that a decoder lets through get here.
  void change_view(bool honest) {
    const ViewId attempt{core_.view().sequence + 1, 1, member_of(1).boot};
    const wire::Report report = core_.report(attempt);
    wire::Plan plan{.attempt = attempt, .key_id = 1, .ballots = std::vector<wire::Ballot>(3)};
    for (NodeId node = 1; node <= 3; ++node) plan.members.push_back(member_of(node));
    for (const wire::LaneReport& lane : report.lanes) {
      for (const NodeId node : {1, 2, 3})
        plan.stream_bases.push_back(node == kSelf ? lane.stream_end : number(sent_, honest));
    }
    if (!report.old_view.is_none()) {
      wire::TransitionalSet set{report.old_view, plan.members, {}};
      for (const wire::LaneReport& lane : report.lanes) {
        wire::LanePlan one{.cut = number(lane.received, honest),
                           .regular = number(std::max(lane.delivered, lane.stable), honest),
                           .streams = {},
                           .holdings = {}};
        for (const NodeId node : {1, 2, 3}) {
          one.streams.push_back(node == kSelf ? wire::Range{number(lane.stream_base, honest),
                                                            number(lane.stream_end, honest)}
                                              : wire::Range{number(0, honest), number(0, honest)});
        }
        if (!honest && in_.flip()) one.holdings.push_back({{in_.number(one.cut), one.cut}, 1});
        set.lanes.push_back(one);
      }
      plan.sets.push_back(set);
    }
    std::vector<std::byte> bytes;
    encode(plan, bytes);
    const auto decoded = wire::decode_plan(bytes);
    if (!decoded || !core_.begin_recovery(*decoded, now_)) return;
    for (std::size_t rounds = in_.choose(4); rounds > 0; --rounds) {
      if (!in_.empty()) receive();
      turn();
    }
    if (!core_.recovered()) return;
    core_.install(*decoded, now_, in_.flip());
    sent_ = 0;
  }
  std::uint64_t number(std::uint64_t here, bool honest) { return honest ? here : in_.number(here); }

  Input& in_;
  Core core_;
  Position sent_ = 0;  // Of the peers' streams in this node's lane.
  TimeNs now_ = kSecond;
};

}  // namespace

// What members send once its tag was right: log and stream bytes, rows, NAKs, plans. A member that
// lies may spoil the lane (it is left out for that), but never this process's memory or invariants.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  Node node(input);
  while (!input.empty()) node.step();
  node.turn();
  return 0;
}

#include "perf/core/core_wire.h"

#include <array>
#include <cstring>

#include "ipc/base/assert.h"

namespace phalanx::core {
namespace {

Member member(std::size_t i) {
  Member m{.node = static_cast<NodeId>(i + 1), .boot = {}};
  m.boot.bytes[0] = static_cast<std::uint8_t>(i + 1);
  return m;
}

}  // namespace

CoreWire::CoreWire(std::size_t nodes) : nodes_(nodes) {
  const auto ring = [](Node& node, std::uint64_t bytes) -> RingMemory {
    auto made = shm::MirroredRing::create(bytes, {.prefault = true});
    PHX_CHECK(made.has_value());
    node.rings.push_back(std::move(*made));
    return {node.rings.back().data(), bytes};
  };
  wire::Plan plan{.attempt = {1, 1, member(0).boot},
                  .key_id = 1,
                  .members = {},
                  .stream_bases = {},
                  .sets = {}};
  for (std::size_t i = 0; i < nodes; ++i) {
    LaneMemory lane;
    lane.log = ring(nodes_[i], kLogBytes);
    lane.stream = ring(nodes_[i], 4 << 20);
    lane.staging = ring(nodes_[i], 4 << 20);
    for (std::size_t n = 0; n < nodes; ++n) lane.origins.push_back(ring(nodes_[i], 256 << 10));
    const CoreConfig config{.self = member(i).node,
                            .boot = member(i).boot,
                            .record_bytes_max = 1 << 20,
                            .submit_window_bytes = 256 << 10,
                            .window_bytes = 384 << 10,
                            .window_frames = 384,
                            .handover = false};
    nodes_[i].core = std::make_unique<Core>(config, std::span(&lane, 1));
    plan.members.push_back(member(i));
    plan.stream_bases.push_back(0);
  }
  for (Node& node : nodes_) {
    PHX_CHECK(node.core->begin_recovery(plan, now_));
    node.core->install(plan, now_);
  }
  for (int i = 0; i < 100; ++i) turn(0, 0);
}

void CoreWire::turn(std::size_t sender, std::uint32_t bytes) {
  now_ += 20 * kMicrosecond;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    Core& core = *nodes_[i].core;
    for (int m = 0; bytes != 0 && i == sender && m < 256; ++m) {
      std::byte* at = core.reserve(0, bytes);
      if (at == nullptr) break;
      std::memset(at, 1, 64);
      core.commit(0, {.payload_bytes = bytes, .client = 1, .group = 7});
    }
    core.on_time(now_);
    LocalRecord record;
    while (core.reader(0).peek(record)) {
      nodes_[i].delivered += record.header.kind == RecordKind::App ? 1 : 0;
      core.reader(0).pop();
    }
    send(i);
  }
}

void CoreWire::send(std::size_t from) {
  std::array<TxItem, 32> items;
  for (std::size_t count = items.size(); count == items.size();) {
    count = nodes_[from].core->poll_tx(items, now_);
    for (std::size_t i = 0; i < count; ++i) {
      const wire::FrameHeader header{.type = items[i].type,
                                     .lane = items[i].lane,
                                     .sender = member(from).node,
                                     .position = items[i].position};
      for (std::size_t to = 0; to < nodes_.size(); ++to) {
        const bool addressed = items[i].to.kind != transport::Destination::Kind::Peer ||
                               items[i].to.peer == member(to).node;
        if (to == from || !addressed) continue;
        const Placement where = nodes_[to].core->place(header, items[i].payload.size());
        if (where.verdict != Verdict::Accepted) continue;
        std::span<const std::byte> opened = items[i].payload;
        if (where.target != nullptr) {
          std::memcpy(where.target, opened.data(), opened.size());
          opened = {where.target, opened.size()};
        }
        (void)nodes_[to].core->accept(header, opened, now_);
      }
    }
  }
}

}  // namespace phalanx::core

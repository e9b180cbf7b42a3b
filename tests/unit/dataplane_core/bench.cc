#include "tests/unit/dataplane_core/bench.h"

#include <algorithm>
#include <cstring>

#include "ipc/base/assert.h"

namespace phalanx::core::testing {
namespace {

RingMemory ring(TestNode& node, std::uint64_t bytes) {
  auto made = shm::MirroredRing::create(bytes);
  PHX_CHECK(made.has_value());
  node.rings.push_back(std::move(*made));
  return {node.rings.back().data(), bytes};
}

std::uint64_t ring_bytes(std::uint64_t least) {
  std::uint64_t bytes = 4096;
  while (bytes < least) bytes *= 2;
  return bytes;
}

}  // namespace

wire::Plan plan_of(const ViewId& attempt, const std::vector<Member>& members,
                   const std::vector<wire::Report>& reports) {
  wire::Plan plan{.attempt = attempt,
                  .key_id = 1,
                  .members = members,
                  .stream_bases = {},
                  .sets = {},
                  .ballots = std::vector<wire::Ballot>(members.size())};
  const std::size_t lanes = reports[0].lanes.size();
  for (std::size_t l = 0; l < lanes; ++l) {
    for (const auto& r : reports) plan.stream_bases.push_back(r.lanes[l].stream_end);
  }
  std::map<ViewId, std::vector<std::size_t>> by_view;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    if (!reports[i].old_view.is_none()) by_view[reports[i].old_view].push_back(i);
  }
  for (const auto& [view, who] : by_view) {
    wire::TransitionalSet set{.old_view = view, .members = {}, .lanes = {}};
    for (std::size_t i : who) set.members.push_back(members[i]);
    for (std::size_t l = 0; l < lanes; ++l) {
      wire::LanePlan lane;
      Position low = ~Position{0};
      for (std::size_t i : who) {
        low = std::min(low, reports[i].lanes[l].received);
        lane.streams.push_back({reports[i].lanes[l].stream_base, reports[i].lanes[l].stream_end});
      }
      for (lane.cut = low;
           ;) {  // Greedy: the lowest-ranked holder of the next byte, as far as it goes.
        Position to = lane.cut;
        std::size_t best = 0;
        for (std::size_t i : who) {
          Position mine = std::max(lane.cut, reports[i].lanes[l].received);
          for (const auto& h : reports[i].lanes[l].held) {
            if (h.from <= lane.cut && h.to > mine) mine = h.to;
          }
          if (mine > to) to = mine, best = i;
        }
        if (to == lane.cut) break;
        lane.holdings.push_back({{lane.cut, to}, members[best].node});
        lane.cut = to;
      }
      for (std::size_t i : who) {
        lane.regular =
            std::max({lane.regular, reports[i].lanes[l].delivered, reports[i].lanes[l].stable});
      }
      set.lanes.push_back(lane);
    }
    plan.sets.push_back(set);
  }
  return plan;
}

Bench::Bench(std::size_t nodes, const Sizes& sizes, std::uint32_t seed)
    : sizes_(sizes), nodes_(nodes), random_(seed) {
  for (std::size_t i = 0; i < nodes; ++i) {
    std::vector<LaneMemory> memory;
    for (LaneId l = 0; l < sizes.lanes; ++l) {
      LaneMemory lane;
      lane.log = ring(nodes_[i], sizes.log);
      lane.stream = ring(nodes_[i], ring_bytes(sizes.record + sizes.submit_window));
      lane.staging = ring(nodes_[i], ring_bytes(sizes.record + sizes.submit_window));
      for (std::size_t n = 0; n < nodes; ++n) {
        lane.origins.push_back(ring(nodes_[i], ring_bytes(sizes.submit_window)));
      }
      memory.push_back(lane);
    }
    nodes_[i].core = std::make_unique<Core>(config(i), memory);
  }
}

CoreConfig Bench::config(std::size_t node) const {
  return {.self = member(node).node,
          .boot = member(node).boot,
          .lanes = sizes_.lanes,
          .frame_payload_bytes = sizes_.frame,
          .record_bytes_max = sizes_.record,
          .log_bytes = sizes_.log,
          .stream_bytes = ring_bytes(sizes_.record + sizes_.submit_window),
          .submit_window_bytes = sizes_.submit_window,
          .window_bytes = sizes_.window,
          .window_frames = 64,
          .heartbeat_interval = 10 * kMillisecond,
          .handover = sizes_.handover};
}

Member Bench::member(std::size_t node) const {
  Member m{.node = static_cast<NodeId>(node + 1), .boot = {}};
  m.boot.bytes[0] = static_cast<std::uint8_t>(node + 1);
  return m;
}

bool Bench::submit(std::size_t node, const RecordHeader& header, std::span<const std::byte> payload,
                   LaneId lane) {
  Core& core = *nodes_[node].core;
  std::byte* at =
      nodes_[node].kept().reserve(core, lane, static_cast<std::uint32_t>(payload.size()));
  if (at == nullptr) return false;
  if (!payload.empty()) std::memcpy(at, payload.data(), payload.size());
  RecordHeader full = header;
  full.payload_bytes = static_cast<std::uint32_t>(payload.size());
  nodes_[node].kept().commit(core, lane, full);
  return true;
}

bool Bench::submit(std::size_t node, const std::string& text, LaneId lane, std::uint8_t flags) {
  return submit(node, {.kind = RecordKind::App, .flags = flags, .client = 1, .group = 7},
                std::as_bytes(std::span(text)), lane);
}

void Bench::read(TestNode& node) {
  for (LaneId l = 0; l < sizes_.lanes && node.reads; ++l) {
    LocalRecord record;
    while (node.core->reader(l).peek(record)) {
      const std::string text(reinterpret_cast<const char*>(record.payload.data()),
                             record.payload.size());
      const bool app = record.header.kind == RecordKind::App;
      node.seen.push_back(std::to_string(l) + "/" +
                          std::to_string(static_cast<int>(record.header.kind)) +
                          (record.transitional ? "t" : "") + ":" + (app ? text : ""));
      if (app) node.delivered.push_back(text);
      node.core->reader(l).pop();
    }
  }
}

void Bench::send(std::size_t from) {
  std::array<TxItem, 16> items;
  for (std::size_t count = items.size(); count == items.size();) {
    count = nodes_[from].kept().poll_tx(*nodes_[from].core, items, now);
    for (std::size_t i = 0; i < count; ++i) {
      if (items[i].type == wire::FrameType::Row)
        nodes_[from].rows_can_wait.push_back(items[i].can_wait);
      for (std::size_t to = 0; to < nodes_.size(); ++to) {
        const bool addressed = items[i].to.kind != transport::Destination::Kind::Peer ||
                               items[i].to.peer == member(to).node;
        if (to == from || !addressed || chance(drop_percent)) continue;
        InFlight frame{to, nodes_[from].core->view(), {}, {}};
        frame.header = {.type = items[i].type,
                        .lane = items[i].lane,
                        .sender = member(from).node,
                        .position = items[i].position};
        frame.payload.assign(items[i].payload.begin(), items[i].payload.end());
        if (chance(duplicate_percent)) wire_.push_back(frame);
        wire_.push_back(std::move(frame));
        if (chance(overtake_percent) && wire_.size() > 1) {
          std::swap(wire_.back(), wire_[wire_.size() - 2]);
        }
      }
    }
  }
}

void Bench::deliver(const InFlight& frame) {
  TestNode& node = nodes_[frame.to];
  if (!node.up || node.core->view() != frame.key) return;
  const Placement where = node.core->place(frame.header, frame.payload.size());
  if (where.verdict != Verdict::Accepted) return;
  std::span<const std::byte> opened = frame.payload;
  if (where.target != nullptr) {
    std::memcpy(where.target, frame.payload.data(), frame.payload.size());
    opened = {where.target, frame.payload.size()};
  }
  node.kept().accept(*node.core, frame.header, opened, now);
}

void Bench::step(std::size_t turns) {
  for (std::size_t t = 0; t < turns; ++t) {
    now += 10 * kMicrosecond;
    std::deque<InFlight> arrived;
    arrived.swap(wire_);
    for (const InFlight& frame : arrived) deliver(frame);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!nodes_[i].up) continue;
      nodes_[i].kept().on_time(*nodes_[i].core, now);
      read(nodes_[i]);
      send(i);
    }
  }
}

void Bench::change_view(const std::vector<std::size_t>& nodes) {
  const ViewId attempt{++sequence_, member(nodes[0]).node, member(nodes[0]).boot};
  std::vector<Member> members;
  std::vector<wire::Report> reports;
  for (std::size_t i : nodes) {
    nodes_[i].kept().freeze(*nodes_[i].core, now);
    members.push_back(member(i));
    reports.push_back(nodes_[i].core->report(attempt));
    (void)nodes_[i].kept().report(*nodes_[i].core, attempt, now);
  }
  const wire::Plan plan = plan_of(attempt, members, reports);
  std::vector<std::byte> encoded;
  wire::encode(plan, encoded);
  for (std::size_t i : nodes) {
    PHX_CHECK(nodes_[i].kept().begin_recovery(*nodes_[i].core, plan, encoded, now));
  }
  const auto done = [&] {
    return std::all_of(nodes.begin(), nodes.end(),
                       [&](std::size_t i) { return nodes_[i].core->recovered(); });
  };
  for (int turns = 0; !done(); ++turns) {
    PHX_CHECK(turns < 100'000);
    step();
  }
  for (std::size_t i : nodes) {
    nodes_[i].kept().install(*nodes_[i].core, plan, encoded, now, false);
  }
}

}  // namespace phalanx::core::testing

#include "tests/unit/dataplane_worker/test_node.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "ipc/base/assert.h"
#include "ipc/shm/group_id.h"
#include "tests/unit/dataplane_core/bench.h"

namespace phalanx::worker::testing {
namespace {

core::RingMemory make_ring(std::vector<shm::MirroredRing>& rings, std::uint64_t bytes) {
  rings.push_back(shm::MirroredRing::create(bytes).value());
  return {rings.back().data(), bytes};
}

GroupId id_of(std::string_view name) { return shm::group_id(name.data(), name.size()); }

Member member_of(NodeId node) {
  Member m{.node = node, .boot = {}};
  m.boot.bytes[0] = static_cast<std::uint8_t>(node);
  return m;
}

template <class T>
T take(std::span<const std::byte>& body) {
  T value;
  PHX_CHECK(body.size() >= sizeof value);
  std::memcpy(&value, body.data(), sizeof value);
  body = body.subspan(sizeof value);
  return value;
}

std::string describe(const shm::BulkRecord& record) {
  std::span body = record.body;
  const auto kind = static_cast<shm::EventKind>(record.kind);
  std::string text;
  if (kind == shm::EventKind::Message) {
    take<shm::MessageEvent>(body);
    return "m:" + std::string(reinterpret_cast<const char*>(body.data()), body.size());
  }
  if (kind == shm::EventKind::Transitional) return "t";
  if (kind == shm::EventKind::Refused) return "refused";
  if (kind == shm::EventKind::NodeView) {
    const auto view = take<shm::NodeViewEvent>(body);
    text = "v";
    for (std::uint32_t i = 0; i < view.members; ++i) {
      text += (i == 0 ? "" : ".") + std::to_string(take<NodeId>(body));
    }
    return text;
  }
  const auto view = take<shm::GroupViewEvent>(body);
  text = "g";
  for (std::uint32_t i = 0; i < view.members; ++i) take<shm::GroupMember>(body);
  for (std::uint32_t i = 0; i < view.left + view.joined; ++i) {
    const auto member = take<shm::GroupMember>(body);
    text += (i < view.left ? "-" : "+") + std::to_string(member.node) + ":" +
            std::to_string(member.client);
    if (i < view.left) text += "/" + std::to_string(static_cast<unsigned>(member.reason));
  }
  return text;
}

}  // namespace

std::size_t WireTransport::rx_burst(std::span<transport::RxFrame> out) noexcept {
  const std::size_t count = std::min(out.size(), inbox.size());
  for (std::size_t i = 0; i < count; ++i) out[i] = {.bytes = inbox[i]};
  return count;
}
void WireTransport::rx_release(std::span<const transport::RxFrame> frames) noexcept {
  inbox.erase(inbox.begin(), inbox.begin() + static_cast<std::ptrdiff_t>(frames.size()));
}
std::size_t WireTransport::tx_alloc(std::span<transport::TxFrame> out) noexcept {
  most_asked = std::max(most_asked, out.size());
  const std::size_t count = std::min(out.size(), buffers_.size());
  for (std::size_t i = 0; i < count; ++i) out[i] = {.bytes = buffers_[i]};
  return count;
}
void WireTransport::tx_burst(std::span<const transport::TxFrame> frames) noexcept {
  for (const transport::TxFrame& frame : frames) {
    const std::span<const std::byte> bytes = frame.bytes.first(frame.length);
    if (frame.to.kind == transport::Destination::Kind::Peer) {
      wire_.carry(self_, frame.to.peer, bytes);
      continue;
    }
    const bool everyone = frame.to.kind == transport::Destination::Kind::Everyone;
    for (const NodeId node : everyone ? wire_.nodes() : members_) {
      if (node != self_) wire_.carry(self_, node, bytes);
    }
  }
}
void WireTransport::set_members(std::span<const NodeId> members) noexcept {
  members_.assign(members.begin(), members.end());
}

WireTransport& Wire::add(NodeId node) {
  ends_.emplace_back(node, std::make_unique<WireTransport>(*this, node));
  return *ends_.back().second;
}
WireTransport& Wire::end(NodeId node) {
  for (auto& end : ends_) {
    if (end.first == node) return *end.second;
  }
  PHX_CHECK(false);
}
void Wire::carry(NodeId from, NodeId to, std::span<const std::byte> frame) {
  std::vector<std::byte> copy(frame.begin(), frame.end());
  if (filter && !filter(from, to, copy)) return;
  for (auto& [node, end] : ends_) {
    if (node == to && end->up) return end->inbox.push_back(std::move(copy));
  }
}
std::vector<NodeId> Wire::nodes() const {
  std::vector<NodeId> all;
  for (const auto& end : ends_) all.push_back(end.first);
  return all;
}

TestClient::TestClient(ClientPort& port, int log_fd) {
  PHX_CHECK(channel.open(port.channel.memory_fd(), dup(port.channel.doorbell_fd()),
                         port.channel.bulk_fd(), port.channel.geometry(), log_fd));
}
bool TestClient::submit(shm::SubmissionKind kind, GroupId group, std::string_view payload,
                        std::uint8_t flags) {
  const shm::SubmissionBody body{group};
  std::byte* room =
      channel.reserve_submission(static_cast<std::uint32_t>(sizeof body + payload.size()));
  if (room == nullptr) return false;
  std::memcpy(room, &body, sizeof body);
  std::memcpy(room + sizeof body, payload.data(), payload.size());
  channel.commit_submission(kind, flags);
  channel.publish_submissions();
  return true;
}
bool TestClient::send(const std::string& group, std::string_view text, std::uint8_t flags) {
  return submit(shm::SubmissionKind::Multicast, id_of(group), text, flags);
}
bool TestClient::leave(const std::string& group) {
  return submit(shm::SubmissionKind::Leave, id_of(group), "");
}
std::vector<std::string> TestClient::read() {
  std::vector<std::string> seen;
  shm::BulkRecord record;
  while (channel.refresh_events() && channel.peek_event(record)) {
    seen.push_back(describe(record));
    channel.pop_event();
    if (channel.release_is_due()) channel.release_events();
  }
  channel.release_events();
  return seen;
}

TestNode::TestNode(transport::Transport& transport, NodeId id, const std::vector<NodeId>& nodes,
                   const NodeOptions& options, std::span<TestNode* const> others)
    : TestNode(transport, id, nodes, options, 0, others) {}

TestNode::TestNode(transport::Transport& transport, NodeId id, const std::vector<NodeId>& nodes,
                   const NodeOptions& options, LaneId index)
    : TestNode(transport, id, nodes, options, index, {}) {}

TestNode::TestNode(transport::Transport& transport, NodeId id, const std::vector<NodeId>& nodes,
                   const NodeOptions& options, LaneId index, std::span<TestNode* const> others)
    : options_(options),
      member_(member_of(id)),
      segment_(shm::ControlSegment::create({.self = member_, .pid = 1, .obituary = {}}).value()),
      bells_{Fd(eventfd(0, EFD_NONBLOCK)), Fd(eventfd(0, EFD_NONBLOCK)),
             Fd(eventfd(0, EFD_NONBLOCK)), Fd(eventfd(0, EFD_NONBLOCK))},
      control_rings_(index == 0 ? nullptr : std::make_unique<shm::ControlRings>()),
      worker_end(index == 0
                     ? shm::ControlWorkerEnd(segment_, bells_[0].get())
                     : shm::ControlWorkerEnd(*control_rings_, segment_.statistics().writable(),
                                             bells_[0].get())),
      plane(segment_, bells_[1].get()),
      mailbox(bells_[2].get(), bells_[3].get()) {
  const auto record_max = static_cast<std::uint32_t>(core::record_bytes(options.message_bytes_max));
  // Frames end between words, as the daemon's.
  const auto payload = static_cast<std::uint32_t>(
      (transport.limits().frame_bytes_max - wire::kOverheadBytes) & ~std::size_t{7});
  const core::CoreConfig config{.self = id,
                                .boot = member_.boot,
                                .lanes = options.lanes,
                                .first_lane = index,
                                .lane_step = options.workers,
                                .frame_payload_bytes = payload,
                                .record_bytes_max = record_max,
                                .submit_window_bytes = 16 * 1024,
                                .window_bytes = 32 * 1024,
                                .window_frames = 64};
  std::vector<core::LaneMemory> memory;
  for (LaneId lane = 0; lane < config.share().count(); ++lane) {
    core::LaneMemory& m = memory.emplace_back();
    m.log = make_ring(rings_, options.memory_scale * 256 * 1024);
    m.stream = make_ring(rings_, options.memory_scale * 64 * 1024);
    m.staging = make_ring(rings_, options.memory_scale * 64 * 1024);
    for (std::size_t i = 0; i < nodes.size(); ++i)
      m.origins.push_back(make_ring(rings_, options.memory_scale * 16 * 1024));
  }
  if (options.gathers) {
    gathers_ = std::make_unique<GatherMemory>(config.share(), memory);
    PHX_CHECK(gathers_->lend_to(transport).value());
  }
  core = std::make_unique<core::Core>(config, memory);
  keys = std::make_unique<wire::KeyTable>(
      wire::KeyTable::Config{
          .cipher = options.cipher, .self = member_, .lanes = options.lanes, .nodes = nodes},
      wire::insecure_cluster_key("test"));
  if (index > 0) {
    orders_ = std::make_unique<shm::ControlOrders>(control_rings_->commands, control_rings_->events,
                                                   bells_[1].get());
  } else if (!others.empty()) {
    std::vector<shm::ControlOrders*> led;
    for (TestNode* other : others) led.push_back(other->orders_.get());
    crew_ = std::make_unique<Crew>(std::move(led), options.lanes, worker_end);
  }
  if (options.shared_log > 0) log_ = shm::DeliveryLog::create(options.shared_log).value();
  worker =
      std::make_unique<Worker>(WorkerConfig{.self = id,
                                            .nodes = nodes,
                                            .lanes = options.lanes,
                                            .mapped = options.mapped,
                                            .index = index,
                                            .workers = options.workers,
                                            .message_bytes_max = options.message_bytes_max,
                                            .record_bytes_max = record_max,
                                            .slow_clients = options.slow_clients},
                               WorkerParts{*core, transport, *keys, worker_end, mailbox, nullptr,
                                           nullptr, crew_.get(), log_.get(), gathers_.get()});
}

ClientPort& TestNode::attach(ClientId id, bool reads_log) {
  ports.push_back(std::make_unique<ClientPort>());
  ClientPort& port = *ports.back();
  port.id = id;
  port.pid = 1000 + id;
  port.channel = shm::WorkerChannel::create({.submit_bytes = options_.client_ring,
                                             .delivery_bytes = options_.client_ring,
                                             .message_bytes_max = options_.message_bytes_max,
                                             .node = member_.node,
                                             .client = id,
                                             .log_bytes = reads_log ? log_->bytes() : 0})
                     .value();
  port.reads_log = reads_log;
  mailbox.order({.kind = WorkerOrder::Kind::AddClient, .port = &port});
  return port;
}

std::size_t TestNode::notices(MainNotice::Kind kind) {
  MainNotice notice;
  while (mailbox.take(notice)) notices_.push_back(notice);
  return std::erase_if(notices_, [&](const MainNotice& n) { return n.kind == kind; });
}

std::vector<shm::Event> TestNode::events() {
  std::vector<shm::Event> all;
  while (auto event = plane.take_event()) all.push_back(std::move(*event));
  return all;
}

TestCluster::TestCluster(std::size_t nodes, const NodeOptions& options) {
  std::vector<NodeId> ids;
  for (NodeId id = 1; id <= nodes; ++id) ids.push_back(id);
  for (const NodeId id : ids) {
    std::vector<TestNode*> led;
    auto& others = others_.emplace_back();
    for (LaneId w = 1; w < options.workers; ++w) {
      others.push_back(std::make_unique<TestNode>(other_wires[w - 1].add(id), id, ids, options, w));
      led.push_back(others.back().get());
    }
    nodes_.push_back(std::make_unique<TestNode>(wire.add(id), id, ids, options, led));
    alive_.push_back(id - 1);
  }
}

TestCluster::TestCluster(std::span<transport::Transport* const> transports,
                         const NodeOptions& options) {
  std::vector<NodeId> ids;
  for (NodeId id = 1; id <= transports.size(); ++id) ids.push_back(id);
  for (const NodeId id : ids) {
    others_.emplace_back();
    nodes_.push_back(std::make_unique<TestNode>(*transports[id - 1], id, ids, options));
    alive_.push_back(id - 1);
  }
}

void TestCluster::turn(std::size_t times) {
  for (std::size_t t = 0; t < times; ++t) {
    now += 5 * kMicrosecond;
    for (const std::size_t i : alive_) {
      nodes_[i]->worker->poll_once(now);
      for (const auto& other : others_[i]) other->worker->poll_once(now);
    }
  }
}

void TestCluster::change_view(const std::vector<std::size_t>& who) {
  alive_ = who;
  const ViewId attempt{++sequence_, nodes_[who[0]]->member().node, nodes_[who[0]]->member().boot};
  std::vector<Member> members;
  std::vector<std::optional<wire::Report>> told(nodes_.size());
  std::vector<wire::Report> reports;
  for (const std::size_t i : who) {
    PHX_CHECK(nodes_[i]->plane.send({.kind = shm::CommandKind::Freeze, .attempt = attempt}));
    members.push_back(nodes_[i]->member());
  }
  turn(others_[0].empty() ? 1 : 3);  // The first worker hears the others a turn later.
  for (const std::size_t i : who) {
    for (const shm::Event& event : nodes_[i]->events()) {
      if (event.kind == shm::WorkerEventKind::Frozen) told[i] = wire::decode_report(event.bytes);
    }
    reports.push_back(told[i].value());
  }
  std::vector<std::byte> plan;
  wire::encode(core::testing::plan_of(attempt, members, reports), plan);
  for (const std::size_t i : who) {
    PHX_CHECK(nodes_[i]->plane.send(
        {.kind = shm::CommandKind::BeginRecovery, .attempt = attempt, .bytes = plan}));
  }
  std::size_t recovered = 0;
  for (int turns = 0; recovered < who.size(); ++turns) {
    PHX_CHECK(turns < 10'000);
    turn();
    for (const std::size_t i : who) {
      for (const shm::Event& event : nodes_[i]->events()) {
        if (event.kind == shm::WorkerEventKind::Recovered && event.view == attempt) ++recovered;
      }
    }
  }
  for (const std::size_t i : who) {
    PHX_CHECK(nodes_[i]->plane.send(
        {.kind = shm::CommandKind::Install, .attempt = attempt, .bytes = plan}));
  }
  turn(others_[0].empty() ? 1 : 3);
}

std::vector<std::string> messages(const std::vector<std::string>& seen) {
  std::vector<std::string> out;
  for (const std::string& s : seen) {
    if (s.starts_with("m:")) out.push_back(s);
  }
  return out;
}

}  // namespace phalanx::worker::testing

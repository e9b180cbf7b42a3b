// What the whole data path costs but for scheduling: N real workers in one thread, over kernel UDP
// on the loopback device, sealed, each with one client's rings. `items_per_second` is messages
// delivered at every node, in processor time of all nodes together, the clients' ring ends and the
// kernel's work included. Under `valgrind --tool=callgrind` the same loop counts instructions.
#include <benchmark/benchmark.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <vector>

#include "dataplane/core/core.h"
#include "dataplane/worker/worker.h"
#include "ipc/base/assert.h"
#include "ipc/shm/client_channel.h"
#include "ipc/shm/group_id.h"
#include "ipc/shm/mirrored_ring.h"
#include "transport/udp/udp_transport.h"

namespace phalanx::worker {
namespace {

constexpr std::uint32_t kMessageMax = 64 << 10;

Member member(std::size_t i) {
  Member m{.node = static_cast<NodeId>(i + 1), .boot = {}};
  m.boot.bytes[0] = static_cast<std::uint8_t>(i + 1);
  return m;
}

/// One node: its worker, what the worker needs, and a client.
struct Node {
  Node(std::size_t index, std::size_t nodes)
      : segment(
            shm::ControlSegment::create({.self = member(index), .pid = 1, .obituary = {}}).value()),
        worker_end(segment.layout(), bells[0].get()),
        plane(segment.layout(), bells[1].get()),
        mailbox(bells[2].get(), bells[3].get()) {
    std::vector<NodeId> ids;
    transport::udp::UdpConfig udp{.self = member(index).node,
                                  .local = {.host = "127.0.0.1", .port = 0},
                                  .peers = {},
                                  .multicast = {},
                                  .mtu = 1500,
                                  .receive_buffer = 8 << 20};
    for (std::size_t i = 0; i < nodes; ++i) {
      ids.push_back(member(i).node);
      udp.peers.push_back({.node = member(i).node, .endpoint = {.host = "127.0.0.1", .port = 1}});
    }
    transport = transport::udp::open(udp).value();
    const auto record_max = static_cast<std::uint32_t>(core::record_bytes(kMessageMax));
    core::LaneMemory lane;
    lane.log = ring(4 << 20);
    lane.stream = ring(1 << 20);
    lane.staging = ring(1 << 20);
    for (std::size_t i = 0; i < nodes; ++i) lane.origins.push_back(ring(256 << 10));
    core = std::make_unique<core::Core>(core::CoreConfig{.self = member(index).node,
                                                         .boot = member(index).boot,
                                                         .record_bytes_max = record_max,
                                                         .submit_window_bytes = 256 << 10,
                                                         .window_bytes = 512 << 10,
                                                         .window_frames = 1000,
                                                         .handover = false},
                                        std::span(&lane, 1));
    keys = std::make_unique<wire::KeyTable>(
        wire::KeyTable::Config{
            .cipher = wire::fastest_cipher(), .self = member(index), .lanes = 1, .nodes = ids},
        wire::insecure_cluster_key("bench"));
    worker = std::make_unique<Worker>(WorkerConfig{.self = member(index).node,
                                                   .nodes = ids,
                                                   .message_bytes_max = kMessageMax,
                                                   .record_bytes_max = record_max,
                                                   .slow_clients = {}},
                                      WorkerParts{*core, *transport, *keys, worker_end, mailbox});
    port.id = 1;
    port.channel = shm::WorkerChannel::create(
                       {.message_bytes_max = kMessageMax, .node = member(index).node, .client = 1})
                       .value();
    mailbox.order({.kind = WorkerOrder::Kind::AddClient, .port = &port});
    PHX_CHECK(client.open(port.channel.memory_fd(), dup(port.channel.doorbell_fd()),
                          port.channel.bulk_fd(), port.channel.geometry()));
    port.wake_asked = true;  // Nobody reads the notices.
  }

  core::RingMemory ring(std::uint64_t bytes) {
    rings.push_back(shm::MirroredRing::create(bytes, {.prefault = true}).value());
    return {rings.back().data(), bytes};
  }
  bool submit(shm::SubmissionKind kind, GroupId to, const void* payload, std::uint32_t bytes) {
    std::byte* room = client.reserve_submission(sizeof to + bytes);
    if (room == nullptr) return false;
    std::memcpy(room, &to, sizeof to);
    std::memcpy(room + sizeof to, payload, bytes);
    client.commit_submission(kind, 0);
    return true;
  }
  void read() {
    shm::BulkRecord event;
    while (client.peek_event(event)) {
      delivered += event.kind == static_cast<std::uint8_t>(shm::EventKind::Message) ? 1 : 0;
      client.pop_event();
    }
    client.release_events();
  }

  Fd bells[4] = {Fd(eventfd(0, EFD_NONBLOCK)), Fd(eventfd(0, EFD_NONBLOCK)),
                 Fd(eventfd(0, EFD_NONBLOCK)), Fd(eventfd(0, EFD_NONBLOCK))};
  std::vector<shm::MirroredRing> rings;
  shm::ControlSegment segment;
  shm::ControlWorkerEnd worker_end;
  shm::ControlPlaneEnd plane;
  Mailbox mailbox;
  ClientPort port;
  shm::ClientChannel client;
  std::unique_ptr<transport::udp::UdpTransport> transport;
  std::unique_ptr<core::Core> core;
  std::unique_ptr<wire::KeyTable> keys;
  std::unique_ptr<Worker> worker;
  std::uint64_t delivered = 0;
};

class Cluster {
 public:
  explicit Cluster(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) nodes_.push_back(std::make_unique<Node>(i, count));
    for (auto& node : nodes_) {
      for (std::size_t i = 0; i < count; ++i)
        node->transport->set_peer(member(i).node, nodes_[i]->transport->local_address());
    }
    wire::Plan plan{.attempt = {1, 1, member(0).boot},
                    .key_id = 1,
                    .members = {},
                    .stream_bases = {},
                    .sets = {},
                    .ballots = std::vector<wire::Ballot>(count)};
    for (std::size_t i = 0; i < count; ++i) plan.members.push_back(member(i));
    plan.stream_bases.resize(count);
    std::vector<std::byte> bytes;
    wire::encode(plan, bytes);
    for (const auto kind :
         {shm::CommandKind::Freeze, shm::CommandKind::BeginRecovery, shm::CommandKind::Install}) {
      for (auto& node : nodes_)
        PHX_CHECK(node->plane.send({.kind = kind, .attempt = plan.attempt, .bytes = bytes}));
      turn(0, 0);
    }
    for (auto& node : nodes_) {
      PHX_CHECK(node->submit(shm::SubmissionKind::Join, 0, "bench", 5));
      node->client.publish_submissions();
    }
    for (int i = 0; i < 2000; ++i) turn(0, 0);
  }

  /// One turn of every node and its client; `sender` submits up to 512 messages. A symbol of its
  /// own: `--toggle-collect='*Cluster::flood*'` counts nothing but floods.
  [[gnu::noinline]] void flood(std::size_t sender, std::uint32_t bytes) { turn(sender, bytes); }
  void turn(std::size_t sender, std::uint32_t bytes) {
    static constexpr char kPayload[kMessageMax] = {};
    static const GroupId kGroup = shm::group_id("bench", 5);
    now_ += 20 * kMicrosecond;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      Node& node = *nodes_[i];
      if (i == sender && bytes != 0) {
        for (int m = 0; m < 512; ++m) {
          if (!node.submit(shm::SubmissionKind::Multicast, kGroup, kPayload, bytes)) break;
        }
        node.client.publish_submissions();
      }
      node.worker->poll_once(now_);
      node.read();
    }
  }
  [[nodiscard]] std::uint64_t delivered(std::size_t node) const { return nodes_[node]->delivered; }
  [[nodiscard]] std::size_t count() const { return nodes_.size(); }

 private:
  std::vector<std::unique_ptr<Node>> nodes_;
  TimeNs now_ = kSecond;
};

void path(benchmark::State& state) {
  Cluster cluster(static_cast<std::size_t>(state.range(0)));
  const auto sender = static_cast<std::size_t>(state.range(1));
  const auto bytes = static_cast<std::uint32_t>(state.range(2));
  const std::uint64_t before = cluster.delivered(0);
  for (auto _ : state) cluster.flood(sender, bytes);
  for (int i = 0; i < 2000; ++i) cluster.turn(0, 0);
  const std::uint64_t messages = cluster.delivered(0) - before;
  PHX_CHECK(messages > 0);
  for (std::size_t i = 0; i < cluster.count(); ++i)
    PHX_CHECK(cluster.delivered(i) == cluster.delivered(0));
  state.SetItemsProcessed(static_cast<std::int64_t>(messages));
  static std::uint64_t all_runs = 0;  // The library runs the loop a few times to find its length.
  all_runs += messages;
  state.counters["messages_of_all_runs"] = static_cast<double>(all_runs);
}

BENCHMARK(path)
    ->ArgNames({"nodes", "sender", "bytes"})
    ->Args({3, 0, 64})
    ->Args({3, 1, 64})
    ->Args({3, 0, 1400})
    ->Args({3, 1, 1400});

}  // namespace
}  // namespace phalanx::worker

BENCHMARK_MAIN();

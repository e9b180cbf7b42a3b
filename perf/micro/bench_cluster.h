#pragma once

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/core/core.h"
#include "dataplane/worker/worker.h"
#include "ipc/base/assert.h"
#include "ipc/recorder/recorder.h"
#include "ipc/shm/client_channel.h"
#include "ipc/shm/group_id.h"
#include "ipc/shm/mirrored_ring.h"
#include "transport/transport.h"

namespace phalanx::bench {

inline constexpr std::uint32_t kMessageMax = 64 << 10;

inline Member member(std::size_t i) {
  Member m{.node = static_cast<NodeId>(i + 1), .boot = {}};
  m.boot.bytes[0] = static_cast<std::uint8_t>(i + 1);
  return m;
}

/// What a node's worker writes down beside its work.
enum class Keeps : std::uint8_t {
  Nothing,
  AsADataPlane,  ///< The flight recorder, and the tape within its budget.
  Everything,    ///< Likewise, whatever the load.
};

/// One node: its worker, what the worker needs, and a client.
struct Node {
  Node(std::size_t index, std::size_t nodes, std::unique_ptr<transport::Transport> wire,
       const std::string& recordings, Keeps keeps)
      : segment(
            shm::ControlSegment::create({.self = member(index), .pid = 1, .obituary = {}}).value()),
        worker_end(segment, bells[0].get()),
        plane(segment, bells[1].get()),
        mailbox(bells[2].get(), bells[3].get()) {
    std::vector<NodeId> ids;
    for (std::size_t i = 0; i < nodes; ++i) ids.push_back(member(i).node);
    transport = std::move(wire);
    const auto record_max = static_cast<std::uint32_t>(core::record_bytes(kMessageMax));
    core::LaneMemory lane;
    lane.log = ring(4 << 20);
    lane.stream = ring(1 << 20);
    lane.staging = ring(1 << 20);
    for (std::size_t i = 0; i < nodes; ++i) lane.origins.push_back(ring(256 << 10));
    const core::CoreConfig sizes{
        .self = member(index).node,
        .boot = member(index).boot,
        .frame_payload_bytes = (transport->limits().frame_bytes_max -
                                static_cast<std::uint32_t>(wire::kOverheadBytes)) &
                               ~7U,
        .record_bytes_max = record_max,
        .submit_window_bytes = 256 << 10,
        .window_bytes = 512 << 10,
        .window_frames = 1000,
        .handover = false};
    core = std::make_unique<core::Core>(sizes, std::span(&lane, 1));
    keys = std::make_unique<wire::KeyTable>(
        wire::KeyTable::Config{
            .cipher = wire::fastest_cipher(), .self = member(index), .lanes = 1, .nodes = ids},
        wire::insecure_cluster_key("bench"));
    if (!recordings.empty()) {
      recorder = recorder::Recorder::open({.directory = recordings,
                                           .writer = "worker" + std::to_string(index),
                                           .self = member(index),
                                           .nodes = ids})
                     .value();
      tape_memory.resize(tape::kTapeLayout.bytes());
      const bool all = keeps == Keeps::Everything;
      tape = tape::CoreTape(tape_memory, sizes, nodes,
                            all ? tape::CoreTape::kNoBudget : tape::CoreTape::kBudget);
    }
    worker = std::make_unique<worker::Worker>(
        worker::WorkerConfig{.self = member(index).node,
                             .nodes = ids,
                             .message_bytes_max = kMessageMax,
                             .record_bytes_max = record_max,
                             .slow_clients = {}},
        worker::WorkerParts{*core, *transport, *keys, worker_end, mailbox, recorder.get(), &tape});
    port.id = 1;
    port.channel = shm::WorkerChannel::create(
                       {.message_bytes_max = kMessageMax, .node = member(index).node, .client = 1})
                       .value();
    mailbox.order({.kind = worker::WorkerOrder::Kind::AddClient, .port = &port});
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
  worker::Mailbox mailbox;
  worker::ClientPort port;
  shm::ClientChannel client;
  std::unique_ptr<transport::Transport> transport;
  std::unique_ptr<core::Core> core;
  std::unique_ptr<wire::KeyTable> keys;
  std::unique_ptr<recorder::Recorder> recorder;  ///< None: nothing is recorded.
  std::vector<std::byte> tape_memory;
  tape::CoreTape tape;
  std::unique_ptr<worker::Worker> worker;
  std::uint64_t delivered = 0;
};

class Cluster {
 public:
  Cluster(std::vector<std::unique_ptr<transport::Transport>> wires, Keeps keeps) {
    const std::size_t count = wires.size();
    char directory[] = "/dev/shm/phalanx-bench-XXXXXX";
    if (keeps != Keeps::Nothing) {
      PHX_CHECK(mkdtemp(directory) != nullptr);
      recordings_ = directory;
    }
    for (std::size_t i = 0; i < count; ++i) {
      nodes_.push_back(std::make_unique<Node>(i, count, std::move(wires[i]), recordings_, keeps));
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

  ~Cluster() {
    if (!recordings_.empty()) std::filesystem::remove_all(recordings_);
  }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  /// One turn of every node and its client; `sender` submits up to 512 messages. A symbol of its
  /// own: `--toggle-collect='*Cluster::flood*'` counts nothing but floods.
  [[gnu::noinline]] void flood(std::size_t sender, std::uint32_t bytes) { turn(sender, bytes); }
  void turn(std::size_t sender, std::uint32_t bytes) {
    static constexpr char kPayload[kMessageMax] = {};
    static const GroupId kGroup = shm::group_id("bench", 5);
    now_ += 20 * kMicrosecond;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      Node& node = *nodes_[i];
      const std::uint64_t begin = recorder::ticks_now();
      if (i == sender && bytes != 0) {
        for (int m = 0; m < 512; ++m) {
          if (!node.submit(shm::SubmissionKind::Multicast, kGroup, kPayload, bytes)) break;
        }
        node.client.publish_submissions();
      }
      const std::uint64_t submitted = recorder::ticks_now();
      node.worker->poll_once(now_);
      const std::uint64_t polled = recorder::ticks_now();
      node.read();
      ticks_[i].worker += polled - submitted;
      ticks_[i].client += submitted - begin + recorder::ticks_now() - polled;
    }
  }
  /// Of the time-stamp counter, since the start.
  struct Ticks {
    std::uint64_t worker = 0;
    std::uint64_t client = 0;
  };
  [[nodiscard]] Ticks ticks(std::size_t node) const { return ticks_[node]; }
  [[nodiscard]] core::LaneStatus lane(std::size_t node) const {
    return nodes_[node]->core->lane_status(0);
  }
  [[nodiscard]] std::uint64_t counter(std::size_t node, shm::Counter counter) const {
    return nodes_[node]->plane.counter(counter);
  }
  [[nodiscard]] const transport::Transport& transport(std::size_t node) const {
    return *nodes_[node]->transport;
  }
  [[nodiscard]] std::uint64_t delivered(std::size_t node) const { return nodes_[node]->delivered; }
  [[nodiscard]] std::size_t count() const { return nodes_.size(); }

 private:
  std::string recordings_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::array<Ticks, kNodesMax> ticks_{};
  TimeNs now_ = kSecond;
};

}  // namespace phalanx::bench

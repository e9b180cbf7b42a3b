#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/core/core.h"
#include "dataplane/worker/crew.h"
#include "dataplane/worker/worker.h"
#include "ipc/shm/client_channel.h"
#include "ipc/shm/control_channel.h"
#include "ipc/shm/delivery_log.h"
#include "ipc/shm/mirrored_ring.h"
#include "transport/transport.h"
#include "transport/wire/key_table.h"

namespace phalanx::worker::testing {

class Wire;

/// A transport over nothing but memory: what one node sends the others find in the order it was
/// sent.
class WireTransport final : public transport::Transport {
 public:
  WireTransport(Wire& wire, NodeId self)
      : wire_(wire), self_(self), buffers_(64, std::vector<std::byte>(1500)) {}

  std::size_t rx_burst(std::span<transport::RxFrame> out) noexcept override;
  void rx_release(std::span<const transport::RxFrame> frames) noexcept override;
  std::size_t tx_alloc(std::span<transport::TxFrame> out) noexcept override;
  void tx_burst(std::span<const transport::TxFrame> frames) noexcept override;
  void set_members(std::span<const NodeId> members) noexcept override;
  void authenticated(NodeId sender, const transport::RxFrame&) noexcept override {
    believed.push_back(sender);
  }
  [[nodiscard]] int wait_fd() const noexcept override { return -1; }
  [[nodiscard]] const transport::TransportLimits& limits() const noexcept override {
    return limits_;
  }

  std::deque<std::vector<std::byte>> inbox;
  std::vector<NodeId> believed;  ///< Whose envelopes were told to be authentic.
  bool up = true;
  std::size_t most_asked = 0;  ///< Buffers, by one tx_alloc().

 private:
  Wire& wire_;
  NodeId self_;
  std::vector<NodeId> members_;
  std::vector<std::vector<std::byte>> buffers_;
  transport::TransportLimits limits_{
      .frame_bytes_max = 1472, .burst_frames_max = 64, .rx_ring_frames = 4096};
};

class Wire {
 public:
  WireTransport& add(NodeId node);
  WireTransport& end(NodeId node);
  void carry(NodeId from, NodeId to, std::span<const std::byte> frame);
  [[nodiscard]] std::vector<NodeId> nodes() const;

  /// Called for every frame; false drops it. It may change the bytes.
  std::function<bool(NodeId from, NodeId to, std::vector<std::byte>& frame)> filter;

 private:
  std::vector<std::pair<NodeId, std::unique_ptr<WireTransport>>> ends_;
};

struct NodeOptions {
  std::uint64_t client_ring = 64 * 1024;
  std::uint32_t message_bytes_max = 16 * 1024;
  SlowClientPolicy slow_clients;
  LaneId lanes = 1;
  std::vector<shm::MappedGroup> mapped = {};
  LaneId workers = 1;              ///< Of each node.
  std::uint64_t memory_scale = 1;  ///< Larger logs and streams, for long messages.
  wire::Cipher cipher = wire::Cipher::OpenSsl;
  std::uint64_t shared_log = 0;  ///< Bytes; 0: there is none.
  bool gathers = false;          ///< Lanes' memory is lent to the transport.
};

/// What a test's client saw, in words: "m:TEXT", "g+2:7" (client 7 of node 2 joined),
/// "g-2:7/NodeLeft", "v1.2" (the node's view), "t" (transitional), "refused".
class TestClient {
 public:
  /// `log_fd` for one that reads the shared log.
  explicit TestClient(ClientPort& port, int log_fd = -1);
  bool submit(shm::SubmissionKind kind, GroupId group, std::string_view payload,
              std::uint8_t flags = 0);
  bool join(const std::string& name) { return submit(shm::SubmissionKind::Join, 0, name); }
  bool open(const std::string& name) { return submit(shm::SubmissionKind::Open, 0, name); }
  bool send(const std::string& group, std::string_view text, std::uint8_t flags = 0);
  bool leave(const std::string& group);
  /// Takes all that waits.
  std::vector<std::string> read();
  shm::ClientChannel channel;
};

/// One worker with all it needs, but for a control plane: the test plays it.
class TestNode {
 public:
  TestNode(transport::Transport& transport, NodeId id, const std::vector<NodeId>& nodes,
           const NodeOptions& options, std::span<TestNode* const> others = {});
  /// Another worker of the node whose first one is to come, and leads it.
  TestNode(transport::Transport& transport, NodeId id, const std::vector<NodeId>& nodes,
           const NodeOptions& options, LaneId index);

  [[nodiscard]] Member member() const { return member_; }
  [[nodiscard]] const shm::StatisticsLayout& statistics() const {
    return segment_.statistics().layout();
  }
  [[nodiscard]] const shm::StatisticsMemory& all_statistics() const {
    return segment_.statistics();
  }
  ClientPort& attach(ClientId id, bool reads_log = false);
  [[nodiscard]] int log_fd() const { return log_->fd(); }
  /// Notices from the worker since the last call, by kind.
  std::size_t notices(MainNotice::Kind kind);
  std::vector<shm::Event> events();

 private:
  TestNode(transport::Transport& transport, NodeId id, const std::vector<NodeId>& nodes,
           const NodeOptions& options, LaneId index, std::span<TestNode* const> others);

  NodeOptions options_;
  Member member_;
  std::vector<shm::MirroredRing> rings_;
  std::unique_ptr<GatherMemory> gathers_;
  std::unique_ptr<shm::DeliveryLog> log_;
  shm::ControlSegment segment_;
  Fd bells_[4];
  std::unique_ptr<shm::ControlRings> control_rings_;  ///< Not of the first worker.
  std::unique_ptr<shm::ControlOrders> orders_;
  std::unique_ptr<Crew> crew_;

 public:
  shm::ControlWorkerEnd worker_end;
  shm::ControlPlaneEnd plane;
  Mailbox mailbox;
  std::unique_ptr<core::Core> core;
  std::unique_ptr<wire::KeyTable> keys;
  std::unique_ptr<Worker> worker;
  std::vector<std::unique_ptr<ClientPort>> ports;

 private:
  std::vector<MainNotice> notices_;
};

class TestCluster {
 public:
  explicit TestCluster(std::size_t nodes, const NodeOptions& options = {});
  /// Nodes 1, 2 ... over transports of another kind, which outlive the cluster.
  TestCluster(std::span<transport::Transport* const> transports, const NodeOptions& options);
  TestNode& operator[](std::size_t index) { return *nodes_[index]; }
  /// Of a node: its first worker is the node itself.
  TestNode& worker(std::size_t index, std::size_t worker) {
    return worker == 0 ? *nodes_[index] : *others_[index][worker - 1];
  }
  /// Every node's turn, once or more, 5 us apart.
  void turn(std::size_t times = 1);
  /// Freezes, plans, recovers and installs as the control planes would, by commands and events.
  void change_view(const std::vector<std::size_t>& who);

  Wire wire;
  Wire other_wires[kLanesMax - 1];  ///< Between the second workers, the third ones, ...
  TimeNs now = kSecond;

 private:
  std::uint64_t sequence_ = 0;
  std::vector<std::vector<std::unique_ptr<TestNode>>> others_;  ///< Workers of each node.
  std::vector<std::unique_ptr<TestNode>> nodes_;
  std::vector<std::size_t> alive_;
};

/// Of what a client saw: the messages only.
[[nodiscard]] std::vector<std::string> messages(const std::vector<std::string>& seen);

}  // namespace phalanx::worker::testing

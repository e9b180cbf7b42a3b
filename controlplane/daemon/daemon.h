#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "config/config.h"
#include "controlplane/daemon/admin_server.h"
#include "controlplane/daemon/attach_acceptor.h"
#include "controlplane/daemon/carrier.h"
#include "controlplane/daemon/cluster_orders.h"
#include "controlplane/daemon/conductor.h"
#include "controlplane/daemon/dataplane_link.h"
#include "controlplane/daemon/event_loop.h"
#include "controlplane/daemon/guard_server.h"
#include "controlplane/daemon/instance.h"
#include "controlplane/daemon/log.h"
#include "controlplane/daemon/management.h"
#include "controlplane/daemon/map_server.h"
#include "controlplane/daemon/metrics_process.h"
#include "controlplane/daemon/node_keys.h"
#include "controlplane/daemon/port_link.h"
#include "controlplane/daemon/recorder_exchange.h"
#include "controlplane/daemon/state_file.h"
#include "controlplane/daemon/watch_server.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/recorder/recorder.h"

namespace phalanx::controlplane {

struct DaemonOptions {
  bool start_dataplane = true;
  std::string dataplane_program;
};

/// The control plane of one node: puts the parts of this folder together and decides when they
/// begin and end. One thread.
class Daemon {
 public:
  /// Takes the instance, reads state and key, listens. Nothing runs yet.
  [[nodiscard]] static Expected<std::unique_ptr<Daemon>, Error> create(config::Config config,
                                                                       DaemonOptions options);
  ~Daemon();

  /// Until SIGTERM, SIGINT, `shutdown` or something that can not be mended.
  [[nodiscard]] ExitCode run();

 private:
  struct Prepared;
  Daemon(config::Config config, DaemonOptions options, Prepared& prepared);
  [[nodiscard]] Expected<void, Error> open_management(const Prepared& prepared);

  // The data plane comes, speaks, goes.
  void on_up(const shm::DataPlaneIdentity& identity);
  void on_event(const shm::Event& event);
  void on_down(const shm::DataPlaneIdentity& identity);
  void on_tick();
  void on_view(const ViewChange& change);
  void on_vouch_time();
  void on_dead(Member member);
  void on_cut_off(Member member);
  void on_link();
  /// The interface that the data path has, and whether it can carry frames.
  [[nodiscard]] const std::string& interface() const noexcept {
    // An RDMA port's is the kernel's as well.
    return config_.transport.kind == config::TransportKind::Dpdk && port_.watches()
               ? config_.transport.port
               : carrier_.interface();
  }
  [[nodiscard]] bool has_first_link() const noexcept { return carrier_.is_up() && port_.is_up(); }
  /// False when no network is left that could carry this node's frames.
  [[nodiscard]] bool has_link() const noexcept { return has_first_link() || has_second_link(); }
  [[nodiscard]] bool has_second_link() const noexcept {
    return second_carrier_ && second_carrier_->is_up() && second_port_.is_up();
  }
  [[nodiscard]] bool watches_ports() const noexcept {
    return port_.watches() || second_port_.watches();
  }
  /// Whether one of them has gained or lost its link.
  [[nodiscard]] bool look_at_ports() noexcept;
  void on_probe_time();
  void tell_distrust(std::uint32_t absent_ms);
  void tell_rejections(TimeNs now);

  // Clients.
  [[nodiscard]] bool hand_over(const shm::AdoptClient& client);

  void open_recorder();
  void open_exchange(const Prepared& prepared);
  void ask_for_recorders(const AdminServer::Reply& reply);

  // Orders.
  void on_request(const nlohmann::json& request, const AdminServer::Peer& peer,
                  const AdminServer::Reply& reply);
  [[nodiscard]] nlohmann::json status() const;
  void ask_for_groups(const AdminServer::Reply& reply);
  void answer_groups(const shm::Event& event);
  void take_vote_order(const nlohmann::json& request, const AdminServer::Reply& reply);
  void on_ruling(const quorum::Ruling& ruling);
  void give_up_vote_order();

  // What concerns other nodes as well, and how this one ends: daemon_orders.cc.
  [[nodiscard]] ClusterOrders::Hooks order_hooks();
  [[nodiscard]] Expected<config::Config, std::string> read_anew() const;
  void take_anew(const config::Config& wanted);
  void tune(TimeNs now);
  void take_reload(const nlohmann::json& request, const AdminServer::Reply& reply);
  void take_leave(const nlohmann::json& request, bool keep_dataplane,
                  const AdminServer::Reply& reply);
  void take_remove(const nlohmann::json& request, const AdminServer::Reply& reply);
  void on_removed(NodeId by, const std::string& reason);
  void tell_last_removal() const;
  [[nodiscard]] nlohmann::json nodes() const;
  [[nodiscard]] std::string removal_file() const;

  // Cluster keys: daemon_keys.cc.
  [[nodiscard]] NodeKeys::Hooks key_hooks();
  [[nodiscard]] security::Rotation::Hooks rotation_hooks();
  [[nodiscard]] std::uint32_t view_key_id() const;
  void go_by_keys();
  void finish_rotation();
  [[nodiscard]] std::vector<NodeId> other_nodes() const;
  void take_key_order(const nlohmann::json& request, const AdminServer::Reply& reply);
  void tell_keys(const AdminServer::Reply& reply);

  // The maps: daemon_map.cc.
  void open_map(Fd listener, MapMemory memory);
  void show_view(const ViewChange* change);
  void compute_statistics(MapServer::Computed done);
  void answer_statistics(const nlohmann::json& groups);

  // The end.
  void on_signal(int signal);
  /// Leaves the view in order, then ends the data plane, then the loop.
  void leave();
  void check_left();
  void end_dataplane();
  void give_up(const Error& error);

  config::Config config_;
  DaemonOptions options_;
  std::uint64_t config_hash_;
  EventLoop loop_;
  SignalWatch signals_;
  Instance instance_;
  StateFile state_;
  std::uint64_t sequence_used_;  ///< By this node, in all its incarnations.
  security::Acl acl_;
  LogLimit limit_{60 * kSecond};
  ExitCode result_ = ExitCode::Fine;
  bool leaving_ = false;
  bool ending_ = false;

  Carrier carrier_;
  std::optional<Carrier> second_carrier_;  ///< Of a second network.
  PortLink port_;
  PortLink second_port_;
  std::optional<RecorderExchange> exchange_;
  std::unique_ptr<Management> management_;  ///< nullptr: no management address is configured.
  Timer tick_;
  Timer vouch_;
  Timer leave_limit_;
  Timer vote_limit_;
  Timer statistics_limit_;
  MapServer::Computed statistics_wanted_;
  Timer probe_;
  Timer order_timer_;
  ClusterOrders orders_;
  Timer key_timer_;
  Timer finish_timer_;
  NodeKeys keys_;
  security::Rotation rotation_;
  DataPlaneLink link_;
  std::unique_ptr<recorder::Recorder> recorder_;  ///< Notes into nothing where no file can be had.
  recorder::MappedFile tape_file_;
  std::optional<membership::Tape> tape_;  ///< Empty where no file can be had.
  std::optional<Conductor> conductor_;    ///< While a data plane lives.
  std::map<std::uint32_t, AdminServer::Reply> group_questions_;
  std::uint32_t next_token_ = 1;
  struct VoteOrder {
    wire::Order order;
    AdminServer::Reply reply;
  };
  std::optional<VoteOrder> vote_order_;  ///< Until a view has ruled on it.
  std::optional<AttachAcceptor> acceptor_;
  std::optional<AdminServer> admin_;
  std::optional<MapServer> map_;
  std::optional<WatchServer> watch_;
  std::optional<MetricsProcess> metrics_;
  std::optional<GuardServer> guards_;
};

}  // namespace phalanx::controlplane

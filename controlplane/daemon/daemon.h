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
#include "controlplane/daemon/conductor.h"
#include "controlplane/daemon/dataplane_link.h"
#include "controlplane/daemon/event_loop.h"
#include "controlplane/daemon/instance.h"
#include "controlplane/daemon/log.h"
#include "controlplane/daemon/management.h"
#include "controlplane/daemon/map_server.h"
#include "controlplane/daemon/state_file.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"

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
  void on_probe_time();
  void tell_distrust(std::uint32_t absent_ms);
  void tell_rejections(TimeNs now);

  // Clients.
  [[nodiscard]] bool hand_over(const shm::AdoptClient& client);

  // Orders.
  void on_request(const nlohmann::json& request, const security::PeerCredentials& peer,
                  const AdminServer::Reply& reply);
  [[nodiscard]] nlohmann::json status() const;
  void ask_for_groups(const AdminServer::Reply& reply);
  void answer_groups(const shm::Event& event);
  void take_vote_order(const nlohmann::json& request, const AdminServer::Reply& reply);
  void on_ruling(const quorum::Ruling& ruling);
  void give_up_vote_order();

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
  std::uint32_t key_id_;
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
  std::unique_ptr<Management> management_;  ///< nullptr: no management address is configured.
  Timer tick_;
  Timer vouch_;
  Timer leave_limit_;
  Timer vote_limit_;
  Timer statistics_limit_;
  MapServer::Computed statistics_wanted_;
  Timer probe_;
  DataPlaneLink link_;
  std::optional<Conductor> conductor_;  ///< While a data plane lives.
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
};

}  // namespace phalanx::controlplane

// How a Daemon comes into being: what it takes, in the order in which it can be refused.

#include <fcntl.h>
#include <pwd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "config/explain.h"
#include "controlplane/daemon/daemon.h"
#include "controlplane/daemon/notify.h"
#include "controlplane/json_text.h"
#include "transport/wire/key_ring.h"
#include "transport/wire/management.h"

namespace phalanx::controlplane {
namespace {

Expected<wire::LoadedRing, Error> cluster_keys(const config::Config& config) {
  if (!config.cluster.insecure) return wire::load_key_ring(config.cluster.key_file);
  return wire::LoadedRing{.ring = {wire::insecure_cluster_key(config.cluster.name), std::nullopt},
                          .next_fault = {}};
}

Expected<BootId, Error> draw_boot_id() {
  BootId boot;
  if (getrandom(boot.bytes.data(), boot.bytes.size(), 0) !=
      static_cast<ssize_t>(boot.bytes.size())) {
    return fail(system_error("cannot draw a boot id", "getrandom", errno));
  }
  return boot;
}

/// Over DPDK the kernel's carrier says nothing of the data path (PortLink does), nor within a host:
/// any address will do.
config::Endpoint watched_address(config::Endpoint address, config::TransportKind kind) {
  if (kind == config::TransportKind::Dpdk || kind == config::TransportKind::Shm) {
    address.host = address.is_ipv6 ? "::" : "0.0.0.0";
  }
  return address;
}

/// Whom phalanx-metrics becomes: ourselves where nobody else is to look.
std::uint32_t watching_user(const config::Config& config) {
  if (!config.metrics.listen || geteuid() != 0) return geteuid();
  const passwd* user = getpwnam(config.metrics.user.c_str());
  return user == nullptr ? geteuid() : user->pw_uid;
}

Expected<void, Error> make_state_directory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) return {};
  return fail(system_error("cannot make the state directory " + path, "mkdir", error.value(),
                           "set node.state_directory to a directory that this user may write to"));
}

}  // namespace

struct Daemon::Prepared {
  Instance instance;
  StateFile state;
  wire::LoadedRing keys;
  BootId boot;
  Fd clients;
  Fd admin;
  Fd map;
  Fd watch;
  Fd guards;
  MapMemory map_memory;
};

Expected<std::unique_ptr<Daemon>, Error> Daemon::create(config::Config config,
                                                        DaemonOptions options) {
  const security::Acl acl(geteuid(), config.client.uids, config.client.gids);
  const std::uint32_t watcher = watching_user(config);
  auto instance = Instance::open({.runtime_directory = config.node.runtime_directory,
                                  .name = config.node.instance,
                                  .others_attach = acl.lists_others() || watcher != geteuid()});
  if (!instance) return fail(std::move(instance.error()));
  if (auto made = make_state_directory(config.node.state_directory); !made) {
    return fail(std::move(made.error()));
  }
  auto state = StateFile::open(config.node.state_directory, config.node.id);
  if (!state) return fail(std::move(state.error()));
  auto keys = cluster_keys(config);
  if (!keys) return fail(std::move(keys.error()));
  auto boot = draw_boot_id();
  if (!boot) return fail(std::move(boot.error()));

  // A socket that a starter made outlives us; one of our own does not.
  Fd clients;
  if (listen_fds() > 0) {
    clients.reset(kListenFdFirst);
    (void)fcntl(clients.get(), F_SETFL, O_NONBLOCK);
  } else {
    auto listening = instance->listen("phalanx.sock", SOCK_STREAM, Instance::Access::Others);
    if (!listening) return fail(std::move(listening.error()));
    clients = std::move(*listening);
  }
  auto admin = instance->listen("admin.sock", SOCK_STREAM, Instance::Access::Others);
  if (!admin) return fail(std::move(admin.error()));
  auto map = instance->listen("map.sock", SOCK_STREAM, Instance::Access::Others);
  if (!map) return fail(std::move(map.error()));
  auto watch = instance->listen("watch.sock", SOCK_SEQPACKET, Instance::Access::Others);
  if (!watch) return fail(std::move(watch.error()));
  auto guards = instance->listen("guard.sock", SOCK_STREAM, Instance::Access::Others);
  if (!guards) return fail(std::move(guards.error()));
  auto map_memory = MapMemory::create();
  if (!map_memory) return fail(std::move(map_memory.error()));

  Prepared prepared{.instance = std::move(*instance),
                    .state = std::move(*state),
                    .keys = std::move(*keys),
                    .boot = *boot,
                    .clients = std::move(clients),
                    .admin = std::move(*admin),
                    .map = std::move(*map),
                    .watch = std::move(*watch),
                    .guards = std::move(*guards),
                    .map_memory = std::move(*map_memory)};
  std::unique_ptr<Daemon> daemon(new Daemon(std::move(config), std::move(options), prepared));
  daemon->open_exchange(prepared);
  if (auto opened = daemon->open_management(prepared); !opened) {
    return fail(std::move(opened.error()));
  }
  return daemon;
}

Daemon::Daemon(config::Config config, DaemonOptions options, Prepared& prepared)
    : config_(std::move(config)),
      options_(std::move(options)),
      config_hash_(config::cluster_hash(config_)),
      signals_(loop_, {SIGTERM, SIGINT, SIGHUP}, [this](int signal) { on_signal(signal); }),
      instance_(std::move(prepared.instance)),
      state_(std::move(prepared.state)),
      sequence_used_(state_.used()),
      acl_(geteuid(), config_.client.uids, config_.client.gids),
      carrier_(loop_, watched_address(config_.node.address, config_.transport.kind),
               [this] { on_link(); }),
      port_(config_.transport),
      second_port_(config_.transport.second),
      tick_(loop_, [this] { on_tick(); }),
      vouch_(loop_, [this] { on_vouch_time(); }),
      leave_limit_(loop_,
                   [this] {
                     log("membership").warn("peers did not answer the leave");
                     end_dataplane();
                   }),
      vote_limit_(loop_, [this] { give_up_vote_order(); }),
      statistics_limit_(loop_, [this] { answer_statistics({}); }),
      probe_(loop_, [this] { on_probe_time(); }),
      order_timer_(loop_, [this] { orders_.on_time(monotonic_now()); }),
      orders_(config_.node.id, order_hooks()),
      key_timer_(loop_, [this] { rotation_.on_time(monotonic_now()); }),
      finish_timer_(loop_, [this] { finish_rotation(); }),
      keys_(config_.cluster.insecure ? std::string() : config_.cluster.key_file,
            std::move(prepared.keys.ring),
            prepared.keys.next_fault
                ? prepared.keys.next_fault->attempted + ": " + prepared.keys.next_fault->observed
                : std::string(),
            key_hooks()),
      rotation_(config_.node.id, rotation_hooks()),
      link_(
          loop_,
          {.socket_path = instance_.path("dataplane.sock"),
           .program = options_.dataplane_program,
           // What this process runs with, whatever the file says by now.
           .arguments = {"--config", config_.file, "--stdin", "--instance", config_.node.instance},
           .input = [this] { return config::show(config_); },
           .may_start = options_.start_dataplane,
           .start_limit = DataPlaneLink::start_limit_for(config_.cluster.dead_after),
           .node = config_.node.id,
           .config_hash = config_hash_},
          {.up = [this](const shm::DataPlaneIdentity& identity) { on_up(identity); },
           .event = [this](const shm::Event& event) { on_event(event); },
           .down = [this](const shm::DataPlaneIdentity& identity) { on_down(identity); },
           .failed = [this](const Error& error) { give_up(error); }}) {
  if (config_.transport.second.enabled) {
    second_carrier_.emplace(loop_,
                            watched_address(*config_.node.second, config_.transport.second.kind),
                            [this] { on_link(); });
  }
  acceptor_.emplace(
      loop_, std::move(prepared.clients), acl_,
      security::Acl(geteuid(), config_.client.shared_uids, config_.client.shared_gids),
      AttachAcceptor::Handlers{
          .hand_over = [this](const shm::AdoptClient& client) { return hand_over(client); }});
  admin_.emplace(loop_, std::move(prepared.admin),
                 [this](const nlohmann::json& request, const AdminServer::Peer& peer,
                        const AdminServer::Reply& reply) { on_request(request, peer, reply); });
  guards_.emplace(loop_, std::move(prepared.guards), acl_);
  open_map(std::move(prepared.map), std::move(prepared.map_memory));
  watch_.emplace(loop_, std::move(prepared.watch), acl_, watching_user(config_),
                 WatchServer::Sources{.status = [this] { return json_text(status()); },
                                      .statistics = [this] { return link_.statistics_fd(); }});
  open_recorder();
}

/// A node serves without it, too.
void Daemon::open_recorder() {
  std::vector<NodeId> nodes;
  for (const config::ClusterNode& node : config_.cluster.nodes) nodes.push_back(node.id);
  auto opened = recorder::Recorder::open({.directory = instance_.path("recorder"),
                                          .writer = "controlplane",
                                          .self = {config_.node.id, {}},
                                          .nodes = nodes});
  const auto tell = [](const Error& error) {
    log("daemon").warn("{} observed=\"{}\" remedy=\"{}\"", error.attempted, error.observed,
                       error.remedy);
  };
  if (opened) {
    recorder_ = std::move(*opened);
  } else {
    tell(opened.error());
    recorder_ = std::make_unique<recorder::Recorder>();
  }
  auto tape = recorder::MappedFile::create(instance_.path("recorder"), "membership.tape",
                                           membership::kTapeLayout.bytes());
  if (!tape) return tell(tape.error());
  tape_file_ = std::move(*tape);
  tape_.emplace(tape_file_.bytes());
}

void Daemon::open_exchange(const Prepared& prepared) {
  std::vector<NodeId> peers;
  for (const config::ClusterNode& node : config_.cluster.nodes) {
    if (node.id != config_.node.id && node.management && config_.node.management) {
      peers.push_back(node.id);
    }
  }
  exchange_.emplace(loop_,
                    RecorderExchange::Options{.self = {config_.node.id, prepared.boot},
                                              .peers = std::move(peers),
                                              .directory = instance_.path("recorder")},
                    wire::RecorderSeal(keys_.ring()->current, config_.cluster.insecure),
                    [this](NodeId node, std::span<const std::byte> datagram) {
                      if (management_) management_->send_to(node, datagram);
                    });
  exchange_->hold(keys_.ring(), false);
}

Daemon::~Daemon() = default;

Expected<void, Error> Daemon::open_management(const Prepared& prepared) {
  if (!config_.node.management) {
    log("management").warn("no management address: a dead node is noticed by its silence only");
    return {};
  }
  std::vector<config::ClusterNode> peers;
  for (const config::ClusterNode& node : config_.cluster.nodes) {
    if (node.id != config_.node.id) peers.push_back(node);
  }
  wire::ManagementSeal seal(keys_.ring()->current, config_.cluster.insecure);
  seal.hold(keys_.ring());
  auto opened = Management::open(loop_,
                                 {.self = {config_.node.id, prepared.boot},
                                  .own = *config_.node.management,
                                  .peers = std::move(peers),
                                  .config_hash = config_hash_,
                                  .dead_after = config_.cluster.dead_after,
                                  .device = config_.quorum.device},
                                 std::move(seal),
                                 {.on_vouch =
                                      [this](NodeId node) {
                                        if (!conductor_) return;
                                        conductor_->on_vouch(node, monotonic_now());
                                        check_left();
                                      },
                                  .on_link_down = [this](Member member) { on_cut_off(member); },
                                  .on_dead = [this](Member member) { on_dead(member); },
                                  .on_device =
                                      [this](const wire::DeviceWord& word) {
                                        if (!conductor_) return;
                                        conductor_->on_device(word, monotonic_now());
                                        check_left();
                                      },
                                  .on_order =
                                      [this](NodeId from, const wire::OrderWord& word) {
                                        orders_.on_order(from, word, monotonic_now());
                                        rotation_.on_order(from, word, monotonic_now());
                                      },
                                  .on_recorder =
                                      [this](std::span<const std::byte> datagram) {
                                        exchange_->on_datagram(datagram, monotonic_now());
                                      }});
  if (!opened) return fail(std::move(opened.error()));
  management_ = std::move(*opened);
  return {};
}

ExitCode Daemon::run() {
  log("daemon").info("control plane starts instance={} node={} cluster={} config={} hash={:016x}",
                     config_.node.instance, config_.node.id, config_.cluster.name, config_.file,
                     config_hash_);
  tell_last_removal();
  link_.begin();
  notify("READY=1");
  if (config_.metrics.listen) {
    metrics_.emplace(
        loop_, find_metrics(),
        std::vector<std::string>{"--config", config_.file, "--instance", config_.node.instance});
  }
  loop_.run();
  log("daemon").info("control plane ends exit={}", static_cast<int>(result_));
  return result_;
}

}  // namespace phalanx::controlplane

#include "perf/harness/data_planes.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "ipc/base/assert.h"
#include "transport/wire/keys.h"
#include "transport/wire/messages.h"

namespace phalanx::perf {
namespace {

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

}  // namespace

DataPlanes::DataPlanes(const Options& options) : nodes_(options.nodes) {
  char path[] = "/tmp/phalanx-bench-XXXXXX";
  if (mkdtemp(path) == nullptr) give_up("cannot make a temporary directory");
  directory_ = path;
  write_configs(options);
  for (std::size_t i = 0; i < nodes_.size(); ++i) start(i, options.program);
}

DataPlanes::~DataPlanes() {
  for (const Node& node : nodes_) kill(node.pid, SIGTERM);
  for (const Node& node : nodes_) waitpid(node.pid, nullptr, 0);
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void DataPlanes::write_configs(const Options& options) {
  const std::string key_path = directory_ + "/key";
  {
    const auto key = wire::new_cluster_key(1);
    if (!key) give_up(key.error().text());
    std::ofstream(key_path) << wire::format_cluster_key(*key);
    chmod(key_path.c_str(), 0600);
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    std::ofstream out(directory_ + "/" + instance(i) + ".toml");
    out << "[node]\nid = " << i + 1 << "\n[cluster]\nname = \"bench\"\nkey_file = \"" << key_path
        << "\"\n"
        << (options.insecure ? "encryption = \"insecure\"\n" : "");
    for (std::size_t n = 0; n < nodes_.size(); ++n) {
      out << "[[cluster.nodes]]\nid = " << n + 1
          << "\naddress = \"127.0.0.1:" << options.first_port + 2 * n
          << "\"\nmanagement = \"127.0.0.1:" << options.first_port + 2 * n + 1 << "\"\n";
    }
    if (options.transport == "memif") out << "[transport]\nkind = \"dpdk\"\nport = \"memif\"\n";
    if (options.transport == "shm") out << "[transport]\nkind = \"shm\"\n";
    out << options.extra_config;
  }
}

void DataPlanes::start(std::size_t index, const std::string& program) {
  Node& node = nodes_[index];
  const std::string config = directory_ + "/" + instance(index) + ".toml";
  node.pid = fork();
  if (node.pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // A bench that is killed leaves none behind.
    setenv("PHX_RUNTIME_DIR", directory_.c_str(), 1);
    execl(program.c_str(), program.c_str(), "--config", config.c_str(), "--instance",
          instance(index).c_str(), nullptr);
    std::perror("cannot start the data plane");
    _exit(127);
  }
  const std::string where = directory_ + "/" + instance(index);
  for (int tries = 0;; ++tries) {
    auto connected = shm::connect_data_plane((where + "/dataplane.sock").c_str());
    if (connected) {
      node.connection = std::move(*connected);
      break;
    }
    if (tries == 300) give_up(connected.error().text());
    usleep(10'000);
  }
  pollfd wait{.fd = node.connection.get(), .events = POLLIN, .revents = 0};
  (void)poll(&wait, 1, 1000);
  auto welcome = shm::receive_welcome(node.connection.get());
  if (!welcome || !*welcome) give_up("no welcome from " + where);
  node.welcome = std::move(**welcome);
  auto segment =
      shm::ControlSegment::map(std::move(node.welcome.segment), std::move(node.welcome.statistics));
  if (!segment) give_up(segment.error().text());
  node.segment = std::make_unique<shm::ControlSegment>(std::move(*segment));
  node.plane =
      std::make_unique<shm::ControlPlaneEnd>(*node.segment, node.welcome.command_doorbell.get());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s/phalanx.sock", where.c_str());
  node.clients.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (bind(node.clients.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(node.clients.get(), 16) != 0) {
    give_up("cannot listen for clients");
  }
}

shm::Event DataPlanes::await(std::size_t index, shm::WorkerEventKind kind) {
  for (int tries = 0; tries < 5000; ++tries) {
    while (auto event = plane(index).take_event()) {
      if (event->kind == kind) return std::move(*event);
    }
    usleep(1000);
  }
  give_up("node " + std::to_string(index + 1) + " does not answer");
}

void DataPlanes::install_first_view() {
  wire::Plan plan{.attempt = {},
                  .key_id = 1,
                  .members = {},
                  .stream_bases = {},
                  .sets = {},
                  .ballots = std::vector<wire::Ballot>(nodes_.size())};
  for (Node& node : nodes_) plan.members.push_back(node.segment->identity().self);
  plan.attempt = {1, plan.members[0].node, plan.members[0].boot};
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    PHX_CHECK(plane(i).send({.kind = shm::CommandKind::Freeze, .attempt = plan.attempt}));
    const auto report = wire::decode_report(await(i, shm::WorkerEventKind::Frozen).bytes);
    PHX_CHECK(report && report->lanes.size() == 1);
    plan.stream_bases.push_back(report->lanes[0].stream_end);
  }
  std::vector<std::byte> bytes;
  wire::encode(plan, bytes);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    PHX_CHECK(plane(i).send({.kind = shm::CommandKind::BeginRecovery, .bytes = bytes}));
    await(i, shm::WorkerEventKind::Recovered);
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    PHX_CHECK(plane(i).send({.kind = shm::CommandKind::Install, .bytes = bytes}));
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) await(i, shm::WorkerEventKind::Installed);
}

void DataPlanes::adopt_waiting(int timeout_ms) {
  std::vector<pollfd> waits;
  for (const Node& node : nodes_) waits.push_back({node.clients.get(), POLLIN, 0});
  poll(waits.data(), waits.size(), timeout_ms);
  for (const Node& node : nodes_) {
    shm::AdoptClient client{.uid = getuid(),
                            .gid = getgid(),
                            .rights = shm::kMayPublish | shm::kMaySubscribe | shm::kMayReadLog};
    client.socket.reset(accept4(node.clients.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client.socket) continue;
    if (auto sent = shm::send_adopt(node.connection.get(), client); !sent)
      give_up(sent.error().text());
  }
}

}  // namespace phalanx::perf

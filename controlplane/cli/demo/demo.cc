#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <thread>

#include "config/config.h"
#include "controlplane/cli/arguments.h"
#include "controlplane/cli/demo/client.h"
#include "controlplane/cli/demo/cluster.h"
#include "controlplane/cli/demo/crew.h"
#include "controlplane/cli/demo/options.h"
#include "controlplane/cli/demo/process.h"
#include "controlplane/cli/demo/progress.h"
#include "controlplane/cli/demo/run.h"
#include "controlplane/cli/demo/supervise.h"
#include "controlplane/cli/demo/transport.h"
#include "controlplane/cli/output.h"
#include "controlplane/cli/program.h"
#include "controlplane/cli/stop_signal.h"

namespace phalanx::cli {
namespace {

constexpr const char* kFooter =
    "Starts real nodes (a control plane and a data plane each) on this host, as root each in a "
    "network\n"
    "namespace of its own, else on loopback ports; lets client processes attach, join and "
    "multicast;\n"
    "measures; kills a data plane; compares what every client delivered, views included. Exit 0 "
    "only\n"
    "when all that lived through delivered the same sequence, and the node that was killed the "
    "same\n"
    "end of it. Leaves nothing behind.";

Expected<DemoNetwork, Error> make_network(std::size_t nodes, const DemoTransport& transport) {
  if (transport.is_verbs()) {
    show_step("network: " + transport.addresses.front() +
              (transport.addresses.size() > 1 ? " and the other addresses of its RDMA port"
                                              : ", of an RDMA port"));
    return DemoNetwork::on_addresses(nodes, transport.addresses);
  }
  if (transport.is_ethernet()) {
    show_step("network: a namespace for each node, with a port for DPDK and one for the kernel");
    return DemoNetwork::in_namespaces(nodes, DemoNetwork::Ports::DataForDpdk);
  }
  if (geteuid() != 0) {
    show_step("network: loopback ports (namespaces need root)");
    return DemoNetwork::on_loopback(nodes);
  }
  auto network = DemoNetwork::in_namespaces(nodes);
  if (network) {
    show_step("network: a namespace for each node, joined by a bridge");
    return network;
  }
  show_step("network: loopback ports, since namespaces cannot be had here (" +
            network.error().observed + ")");
  return DemoNetwork::on_loopback(nodes);
}

Expected<void, Error> measure(const DemoOptions& options, DemoCluster& cluster,
                              DemoReport& report) {
  auto crew = DemoCrew::start(options, cluster);
  if (!crew) return fail(crew.error());
  if (auto joined = crew->wait_joined(options.patience()); !joined) return joined;
  show_step(counted(crew->size(), "client") + " attached and joined");
  DemoRun run(options, cluster, *crew);
  run.report() = std::move(report);
  if (auto done = run.measure_latency(); !done) return done;
  if (auto done = run.measure_throughput(); !done) return done;
  if (options.fault == "kill" && options.nodes == 1) {
    show_step("no fault: a node alone has no survivors");
  } else if (options.fault == "kill") {
    if (auto done = run.kill_data_plane(); !done) return done;
  }
  if (auto done = run.compare_all(); !done) return done;
  report = std::move(run.report());
  return {};
}

ExitCode serve(const DemoOptions& options, const DemoCluster& cluster,
               const DemoCluster::Places& places, bool own_runtime) {
  const std::string phalanx =
      (own_runtime ? "PHX_RUNTIME_DIR=" + places.runtime_directory + " " : "") + own_command();
  std::printf("the cluster is up; each node is reached by its instance name:\n");
  for (std::size_t node = 1; node <= options.nodes; ++node) {
    std::printf("  %s --instance %s status\n", phalanx.c_str(), node_name(node).c_str());
  }
  std::printf("try:\n  %s --instance n1 sub words\n  %s --instance n%lu pub words < FILE\n",
              phalanx.c_str(), phalanx.c_str(), options.nodes);
  std::printf("Ctrl-C ends it and leaves nothing behind\n");
  std::fflush(stdout);
  while (!stop_requested()) {
    if (const std::string gone = cluster.ended(); !gone.empty()) {
      std::fprintf(stderr, "error: %s\n%s", gone.c_str(), cluster.logs().c_str());
      return ExitCode::Failed;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return ExitCode::Fine;
}

ExitCode orchestrate(const DemoOptions& options, const Globals& globals,
                     const DemoCluster::Places& places, const DemoTransport& transport,
                     bool own_runtime) {
  catch_stop_signals();
  DemoReport report{.transport = transport.name(),
                    .encrypted = !options.insecure,
                    .nodes = options.nodes,
                    .senders = options.senders,
                    .size_bytes = options.size_bytes};
  show_step(transport.told);
  auto network = make_network(options.nodes, transport);
  if (!network) return cli::report(network.error(), globals);
  auto cluster = DemoCluster::start(options, places, std::move(*network), transport);
  if (!cluster) return cli::report(cluster.error(), globals);
  const auto told = [&](const Error& error) {
    const ExitCode code = cli::report(error, globals);
    if (!stop_requested()) std::fputs(cluster->logs().c_str(), stderr);
    return code;
  };
  const TimeNs start = monotonic_now();
  if (const auto whole = cluster->wait_whole(options.patience()); !whole)
    return told(whole.error());
  show_step(counted(options.nodes, "node") + " in one view after " +
            std::to_string((monotonic_now() - start) / kMillisecond) + " ms");
  if (options.serve) return serve(options, *cluster, places, own_runtime);
  if (const auto done = measure(options, *cluster, report); !done) return told(done.error());
  std::fputs((globals.json ? report_json(report) : report_text(report)).c_str(), stdout);
  if (!report.ok) {
    for (const std::string& finding : report.findings) show_step(finding);
    std::fputs(cluster->logs().c_str(), stderr);
  }
  return report.ok ? ExitCode::Fine : ExitCode::Failed;
}

/// True when the instance names n1 ... are free in the directory that commands look in by default.
bool default_directory_is_free(std::size_t nodes) {
  std::error_code error;
  for (std::size_t node = 1; node <= nodes; ++node) {
    const std::string path = config::default_runtime_directory() + "/" + node_name(node);
    if (std::filesystem::exists(path, error) || error) return false;
  }
  return true;
}

ExitCode run_demo(const DemoOptions& options, const Globals& globals) {
  if (options.senders > kBoardClientsMax) {
    return report({.code = ExitCode::Usage, .attempted = "too many senders"}, globals);
  }
  catch_stop_signals();  // From here on there is something to give back; then supervise() passes
                         // on.
  const auto transport = choose_transport(options);
  if (!transport) return report(transport.error(), globals);
  if (stop_requested()) return ExitCode::Failed;
  std::string directory = access("/run", W_OK) == 0 ? "/run/" : "/tmp/";
  directory += "phalanx-demo-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) {
    return report(system_error("cannot make a directory like " + directory, "mkdtemp", errno),
                  globals);
  }
  std::vector<std::string> remove = {directory};
  // To be served, the nodes go where commands find them without being told; else nowhere near.
  const bool shared = options.serve && default_directory_is_free(options.nodes);
  const DemoCluster::Places places{
      .directory = directory,
      .runtime_directory = shared ? config::default_runtime_directory() : directory + "/run"};
  for (std::size_t node = 1; shared && node <= options.nodes; ++node) {
    remove.push_back(places.runtime_directory + "/" + node_name(node));
  }
  for (const char* meeting : {"/memif.demo", "/shm.demo"}) {
    if (shared) remove.push_back(places.runtime_directory + meeting);
  }
  std::error_code error;
  const bool was_there = std::filesystem::exists(places.runtime_directory, error);
  const ExitCode code =
      supervise([&] { return orchestrate(options, globals, places, *transport, !shared); }, remove);
  // Not if somebody else's instance is in it by now.
  if (!was_there) std::filesystem::remove(places.runtime_directory, error);
  return code;
}

}  // namespace

void add_demo(Command& root, const Globals& globals) {
  const auto o = std::make_shared<DemoOptions>();
  root.add("demo", "Start a cluster on this host, send through it, kill a node, and compare.")
      .number("--nodes", o->nodes, {1, 16}, "Nodes")
      .word(
          "--transport", o->transport, {"auto", "udp", "shm", "dpdk", "ethernet", "verbs"},
          "How frames travel; auto: udp or memif; shm: shared memory; dpdk: memif; ethernet: DPDK "
          "on a port; verbs: an RDMA port")
      .number("--senders", o->senders, {1, kBoardClientsMax},
              "Clients that send; the first is beside the orderer")
      .number("--size", o->size_bytes, {1, 16U << 20}, "Bytes of a message")
      .seconds("--seconds", o->seconds, "How long at full speed")
      .word("--fault", o->fault, {"kill", "none"}, "What happens to the last node's data plane")
      .number("--slow", o->slow, {1, 20}, "Times that limits are longer, for a slow host")
      .flag("--serve", o->serve, "Only start the cluster, say how to reach it, and keep it")
      .flag("--copies", o->copies, "A copy for each node, as where multicast cannot be had")
      .flag("--insecure", o->insecure, "Without encryption")
      .footer(kFooter)
      .run([&globals, o] { return run_demo(*o, globals); });

  const auto board_fd = std::make_shared<std::uint64_t>(0);
  const auto index = std::make_shared<std::uint64_t>(0);
  root.add("demo-client", "")
      .number("--board", *board_fd, {0, 1 << 20}, "")
      .number("--index", *index, {0, kBoardClientsMax - 1}, "")
      .run([&globals, board_fd, index] {
        const auto instance = find_instance(globals);
        Board* board = map_board(static_cast<int>(*board_fd));
        if (!instance || board == nullptr) return ExitCode::Usage;
        return run_demo_client(*board, static_cast<std::uint32_t>(*index), *instance);
      });
}

}  // namespace phalanx::cli

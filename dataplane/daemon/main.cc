#include <getopt.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "config/load.h"
#include "dataplane/daemon/data_plane.h"
#include "dataplane/daemon/log_lines.h"
#include "dataplane/daemon/main_thread.h"
#include "dataplane/daemon/worker_thread.h"
#include "ipc/base/scheduling.h"
#include "ipc/base/standard_fds.h"

namespace {

using namespace phalanx;

constexpr const char* kUsage =
    "usage: phalanx-dataplane [--config FILE] [--stdin] [--instance NAME]\n"
    "Orders, carries and delivers the messages of one node. phalanx-controlplane starts it.\n"
    "  --config FILE     default /etc/phalanx/phalanx.toml\n"
    "  --stdin           read what FILE would hold from standard input\n"
    "  --instance NAME   which of several nodes of this host this is\n"
    "  --version, --help\n"
    "Exit codes: 0 stopped in good order, 1 failed, 2 usage or configuration, 5 permission.\n";

int exit_with(ExitCode code) { return static_cast<int>(code); }

struct Arguments {
  std::string config{config::kDefaultConfigFile};
  std::string instance;
  bool from_standard_input = false;
  int exit_code = -1;  ///< Not -1: end at once with it.
};

Arguments parse_arguments(int argc, char** argv) {
  Arguments out;
  const option options[] = {
      {"config", required_argument, nullptr, 'c'}, {"instance", required_argument, nullptr, 'i'},
      {"stdin", no_argument, nullptr, 's'},        {"version", no_argument, nullptr, 'v'},
      {"help", no_argument, nullptr, 'h'},         {}};
  for (int got; (got = getopt_long(argc, argv, "c:i:h", options, nullptr)) != -1;) {
    switch (got) {
      case 'c':
        out.config = optarg;
        break;
      case 'i':
        out.instance = optarg;
        break;
      case 's':
        out.from_standard_input = true;
        break;
      case 'v':
        std::puts("phalanx-dataplane " PHX_VERSION);
        out.exit_code = exit_with(ExitCode::Fine);
        break;
      case 'h':
        std::fputs(kUsage, stdout);
        out.exit_code = exit_with(ExitCode::Fine);
        break;
      default:
        out.exit_code = exit_with(ExitCode::Usage);
        break;
    }
  }
  if (out.exit_code == -1 && optind != argc) out.exit_code = exit_with(ExitCode::Usage);
  if (out.exit_code == exit_with(ExitCode::Usage)) std::fputs(kUsage, stderr);
  return out;
}

/// The workers' threads get no signal; they are taken in order by the main thread.
void block_signals() {
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) sigaddset(&blocked, number);
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
}

/// A client takes a socket and, for each worker, a doorbell and, while it attaches, two memories.
/// Who asks for less than the hard limit gets it.
void allow_descriptors(std::uint32_t clients, std::uint32_t workers) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted =
      std::min<rlim_t>((3 + rlim_t{workers}) * clients + 256 * rlim_t{workers}, limit.rlim_max);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int run(const config::Config& config, dataplane::LogLines& lines) {
  if (const auto checked = dataplane::check_worker_thread(config.worker); !checked) {
    std::fputs(checked.error().text().c_str(), stderr);
    return exit_with(checked.error().code);
  }
  for (std::size_t i = 0; i < config.worker.count; ++i) {
    const auto cpu = config.worker.cpu_of(i);
    const auto other = cpu ? dataplane::worker_pinned_to(*cpu) : std::nullopt;
    if (other) {
      spdlog::warn("core shared by two workers worker.cpu={} pid={} -> next: give each its own",
                   *cpu, *other);
    }
  }
  ask_for_short_turns();
  auto plane = dataplane::DataPlane::create(config);
  if (!plane) {
    std::fputs(plane.error().text().c_str(), stderr);
    return exit_with(plane.error().code);
  }
  auto main_thread = dataplane::MainThread::create(config, **plane, lines);
  if (!main_thread) {
    std::fputs(main_thread.error().text().c_str(), stderr);
    return exit_with(main_thread.error().code);
  }
  spdlog::info(
      "data plane runs node={} boot={} instance={} address={} cipher={} "
      "workers={} window_frames={}",
      (*plane)->self().node, to_string((*plane)->self().boot), config.node.instance,
      config::to_string(config.node.address), wire::to_string((*plane)->cipher()),
      (*plane)->workers().size(), (*plane)->sizes().window_frames);
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < (*plane)->workers().size(); ++i) {
    workers.emplace_back([&unit = *(*plane)->workers()[i], &config, i] {
      if (!dataplane::become_worker_thread(config.worker, i)) {
        spdlog::warn(
            "worker neither pinned nor scheduled as configured -> next: chrt -p; taskset -p");
      }
      unit.loop().run(unit.worker(), unit.mailbox());
    });
  }
  (*main_thread)->run();
  for (const auto& unit : (*plane)->workers()) unit->mailbox().stop();
  for (std::thread& worker : workers) worker.join();
  (*main_thread)->say_goodbye();
  spdlog::info("data plane stopped node={}", (*plane)->self().node);
  (*main_thread)->forward_lines();
  return exit_with(ExitCode::Fine);
}

}  // namespace

int main(int argc, char** argv) {
  phalanx::occupy_standard_fds();
  const Arguments arguments = parse_arguments(argc, argv);
  if (arguments.exit_code != -1) return arguments.exit_code;
  prctl(PR_SET_DUMPABLE, 0);  // Keys are in this memory: no core file, no other process's ptrace.
  umask(077);
  block_signals();
  const auto config = config::load(
      arguments.config,
      {.instance = arguments.instance, .from_standard_input = arguments.from_standard_input});
  if (!config) {
    std::fputs(config.error().text().c_str(), stderr);
    return exit_with(ExitCode::Usage);
  }
  const auto lines = dataplane::LogLines::install();
  if (!lines) {
    std::fputs(lines.error().text().c_str(), stderr);
    return exit_with(ExitCode::Failed);
  }
  allow_descriptors(config->client.max, config->worker.count);
  return run(*config, **lines);
}
